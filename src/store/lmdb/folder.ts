import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode, UserError } from '../../base/index.ts'
import { makeFolder } from '../../host/index.ts'
import { verifyInProcess } from './verify.ts'

/** Makes the folder, private to its owner. Throws a `UserError` when it cannot be used. */
export const prepareFolder = (path: string): void => {
  try {
    makeFolder(path)
    chmodSync(path, 0o700)
  } catch (error) {
    const code = errorCode(error)
    const why = code === 'ENOTDIR' || code === 'EEXIST' ? 'is not a folder' : `may not be used (${code ?? String(error)})`
    throw new UserError(`the data folder ${path} ${why}; choose another one with --data-dir`, { cause: error })
  }
}

/** Makes the files private; the folder is already. */
export const protectFiles = (path: string): void => {
  for (const file of ['data.mdb', 'lock.mdb']) chmodSync(join(path, file), 0o600)
}

/**
 * Throws a `UserError` when the data in the folder is damaged, and leaves it as it is. A folder that was closed cleanly and not touched
 * since is not read.
 */
export const verifyFolder = async (path: string): Promise<void> => {
  const state = readState(path)
  const data = statOf(path)
  if (data === undefined || data.size === 0) {
    if (state === undefined) return
    throw damaged(path, data === undefined ? 'data.mdb is missing' : 'data.mdb is empty')
  }
  if (state?.size === data.size && state.modified === data.modified) return
  const problem = await verifyInProcess(path)
  if (problem !== undefined) throw damaged(path, problem)
}

/** One clear line about data that cannot be used. */
export const damaged = (path: string, problem: string, cause?: unknown): UserError =>
  new UserError(
    `the data in ${path} is damaged: ${problem}; nothing was changed: restore data.mdb from a copy, or move the folder away to begin anew`,
    { cause },
  )

interface DataState {
  readonly size: number
  readonly modified: string
}

/** Remembers that there is data here, and how its file looks when it is closed cleanly. Best effort: without it the data is verified. */
export const rememberState = (path: string, closed: boolean): void => {
  const data = closed ? statOf(path) : undefined
  try {
    const next = join(path, `${STATE_FILE}.new`)
    writeFileSync(next, JSON.stringify(data ?? { size: -1, modified: '' }), { mode: 0o600 })
    renameSync(next, join(path, STATE_FILE))
  } catch {
    // The disk is full, for example.
  }
}

const STATE_FILE = 'state.json'

const statOf = (path: string): DataState | undefined => {
  try {
    const { size, mtimeNs } = statSync(join(path, 'data.mdb'), { bigint: true })
    return { size: Number(size), modified: String(mtimeNs) }
  } catch {
    return undefined
  }
}

const readState = (path: string): DataState | undefined => {
  let text: string
  try {
    text = readFileSync(join(path, STATE_FILE), 'utf8')
  } catch {
    return undefined
  }
  try {
    const { size, modified } = JSON.parse(text) as Partial<DataState>
    return { size: size ?? -1, modified: modified ?? '' }
  } catch {
    return { size: -1, modified: '' }
  }
}
