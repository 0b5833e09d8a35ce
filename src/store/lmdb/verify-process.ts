/** Verifies the folder that is named on the command line: exit code 0, or 1 and on standard output what is wrong. */
import { writeSync } from 'node:fs'
import { errorMessage } from '../../base/index.ts'
import { openEnvironment } from './environment.ts'
import { verifyTables } from './verify.ts'

const verify = (path: string): string | undefined => {
  try {
    const tables = openEnvironment(path, { readOnly: true })
    // A process that was killed while it made the folder leaves no tables: nothing was acknowledged yet.
    if (Object.values(tables).some((table) => table === undefined)) return undefined
    return verifyTables(tables)
  } catch (error) {
    return errorMessage(error)
  }
}

const problem = verify(process.argv[2] ?? '')
if (problem !== undefined) writeSync(1, `${problem}\n`)
process.exit(problem === undefined ? 0 : 1)
