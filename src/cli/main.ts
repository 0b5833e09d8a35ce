import { HUNG_UP } from './exit-codes.ts'
import { printFailure } from './failure.ts'
import { buildProgram } from './program.ts'

/** The entry of `fairway`: parses, runs one command, and turns every failure into one line and an exit code. */
const main = async (argv: readonly string[]): Promise<void> => {
  try {
    const program = await buildProgram()
    await program.parseAsync([...argv])
  } catch (error) {
    process.exitCode = printFailure(error)
  }
}

// `fairway get svc | head` closes our output early: that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

await main(process.argv)
// Restoring a terminal that is gone aborts Node (SIGABRT, a core file): end by the signal itself, as a shell expects.
if (process.exitCode === HUNG_UP) process.kill(process.pid, 'SIGHUP')
