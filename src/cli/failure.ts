import { CommanderError } from 'commander'
import { ApiError } from '../api/index.ts'
import { errorMessage, UserError } from '../base/index.ts'
import { ConnectionError } from '../client/index.ts'

/** Prints one line about a failure and returns the exit code: 2 for a wrong command line, else 1. */
export const printFailure = (error: unknown): number => {
  // Commander has printed its own message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof UserError) return print(error.message, error.exitCode)
  if (error instanceof ApiError) return print(`error from server${error.reason ? ` (${error.reason})` : ''}: ${error.message}`, 1)
  if (error instanceof ConnectionError) return print(`${error.message}; "fairway status" tells what runs`, 1)
  if (process.env['FAIRWAY_DEBUG']) console.error(error)
  return print(`internal error: ${errorMessage(error)} (a bug; FAIRWAY_DEBUG=1 prints where)`, 70)
}

const print = (message: string, exitCode: number): number => {
  console.error(`fairway: ${message.replaceAll('\n', ' ')}`)
  return exitCode
}
