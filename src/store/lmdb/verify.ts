import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  decodeCurrent,
  decodeEvent,
  decodeRevision,
  decodeVersion,
  isEntryIntact,
  isEventIntact,
  metaRevision,
  type Snapshot,
  type Tables,
  withSnapshot,
} from './tables.ts'

/** Reads everything; says what is wrong first, undefined when nothing is. */
export const verifyTables = (tables: Tables): string | undefined =>
  withSnapshot(tables, (transaction) => verifyAt(tables, transaction))

const verifyAt = (tables: Tables, transaction: Snapshot): string | undefined => {
  const revision = metaRevision(tables, 'revision', transaction)
  const compacted = metaRevision(tables, 'compacted', transaction)
  if (compacted > revision) return `revision ${revision} is older than the compacted one, ${compacted}`
  for (const { key, value } of tables.current.getRange({ transaction })) {
    const name = JSON.stringify(key.toString('utf8'))
    if (!isEntryIntact(value)) return `the value of ${name} is damaged`
    if (decodeCurrent('', value).modRevision > revision) return `${name} is younger than revision ${revision}`
  }
  for (const { key, value } of tables.versions.getRange({ transaction })) {
    if (!isEntryIntact(value)) return `an old value of ${JSON.stringify(decodeVersion(key, value).entry.key)} is damaged`
  }
  return verifyEvents(tables, { compacted, revision, transaction })
}

interface Bounds {
  readonly compacted: number
  readonly revision: number
  readonly transaction: Snapshot
}

const verifyEvents = (tables: Tables, { compacted, revision, transaction }: Bounds): string | undefined => {
  let next = compacted + 1
  for (const { key, value } of tables.events.getRange({ transaction })) {
    const found = decodeRevision(key)
    if (found !== next) return `revision ${next} is missing from the history`
    if (!isEventIntact(value)) return `the changes of revision ${found} are damaged`
    decodeEvent(value)
    next++
  }
  return next === revision + 1 ? undefined : `revision ${next} is missing from the history`
}

/**
 * Verifies a folder in a process of its own, because LMDB crashes on damaged pages (SIGSEGV, or SIGBUS when the file was cut off).
 * Resolves with what is wrong, or undefined.
 */
export const verifyInProcess = async (path: string): Promise<string | undefined> => {
  const child = spawn(process.execPath, [...loader(), verifier(), path], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, NODE_OPTIONS: undefined },
  })
  const exited = new Promise<{ readonly code: number | null; readonly signal: string | null }>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) lines.push(line)
  const { code, signal } = await exited
  if (code === 0) return undefined
  return lines[0] ?? `its pages cannot be read: ${signal ?? `exit code ${code}`}`
}

const verifier = (): string => fileURLToPath(new URL(`./verify-process${extname(import.meta.url)}`, import.meta.url))

/** Sources run through tsx, built code needs nothing. */
const loader = (): readonly string[] =>
  extname(import.meta.url) === '.ts' ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : []
