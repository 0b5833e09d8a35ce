import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, UserError } from '../../base/index.ts'
import { identityOf, isAlive, makeFolder, type ProcessIdentity } from '../../host/index.ts'

/** Holds `dir`, which is made when missing, for this process; the result lets go of it. Throws `UserError` when another process that lives has it. */
export const holdFolder = async (dir: string): Promise<() => Promise<void>> => {
  const path = join(dir, 'process.json')
  try {
    makeFolder(dir)
  } catch (error) {
    throw new UserError(`--data-dir: ${dir} can't be made or is no folder (${errorCode(error)})`, { cause: error, exitCode: 2 })
  }
  const mine = JSON.stringify(await identityOf(process.pid))
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await writeFile(path, mine, { flag: 'wx', mode: 0o600 })
      return () => rm(path, { force: true })
    } catch (error) {
      if (errorCode(error) !== 'EEXIST')
        throw new UserError(`--data-dir: ${dir} can't be written (${errorCode(error)})`, { cause: error, exitCode: 2 })
    }
    const holder = parseHolder(await readFile(path, 'utf8').catch(() => ''))
    if (holder !== undefined && (await isAlive(holder)))
      throw new UserError(`--data-dir: ${dir} is used by process ${holder.pid}; stop it or choose another folder`)
    await rm(path, { force: true })
  }
  throw new UserError(`--data-dir: ${dir} is being taken by another process; try again`)
}

const parseHolder = (text: string): ProcessIdentity | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    const isHolder = typeof value === 'object' && value !== null && 'pid' in value && 'startTicks' in value && 'bootId' in value
    // Written by this function.
    return isHolder ? (value as ProcessIdentity) : undefined
  } catch {
    return undefined
  }
}
