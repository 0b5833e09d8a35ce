import { closeSync, ftruncateSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode, errorMessage, UserError } from '../../base/index.ts'
import { makeFolder } from '../../host/index.ts'
import { asEvents, type Event, emptyState, evolve, type State } from './state.ts'

/** The state on disk: a whole state, and the events after it, one line for each step. */
export interface Journal {
  readonly state: State
  /** Writes a step; when it returns, a killed process has not lost it. */
  append(events: readonly Event[], after: State): void
  close(): void
}

const STATE = 'state.json'
const EVENTS = 'events.jsonl'
const MAX_BYTES = 8 * 1024 * 1024

interface Stored {
  readonly step: number
  readonly events: readonly Event[]
}

/** Opens the journal in `dir`, which is made when missing. Throws `UserError` when it can't be used. */
export const openJournal = (dir: string, maxBytes = MAX_BYTES): Journal => {
  const base = readStored(dir)
  const { state, step: lastStep, bytes } = readEvents(dir, { step: base.step, state: restored(dir, base.events) })
  const file = openSync(join(dir, EVENTS), 'a', 0o600)
  // What a kill cut off in the middle of a line must not stand before the next one.
  ftruncateSync(file, bytes)
  let step = lastStep
  let size = bytes
  return {
    state,
    append: (events, after) => {
      step++
      const line = Buffer.from(`${JSON.stringify({ step, events })}\n`)
      writeSync(file, line)
      size += line.length
      if (size <= maxBytes) return
      writeStored(dir, { step, events: asEvents(after) })
      ftruncateSync(file, 0)
      size = 0
    },
    close: () => closeSync(file),
  }
}

const restored = (dir: string, events: readonly Event[]): State => {
  try {
    return evolve(emptyState, events)
  } catch (error) {
    throw unreadable(join(dir, STATE), error)
  }
}

const unreadable = (path: string, cause: unknown): UserError =>
  new UserError(
    `cloud: ${path} is not a state of this emulator (${errorMessage(cause)}); choose another --data-dir, or remove it`,
    { cause },
  )

const readStored = (dir: string): Stored => {
  try {
    makeFolder(dir)
  } catch (error) {
    throw new UserError(`--data-dir: ${dir} can't be made or is no folder (${errorCode(error)})`, { cause: error, exitCode: 2 })
  }
  const path = join(dir, STATE)
  const text = readOrNothing(path)
  if (text === undefined) return { step: 0, events: [] }
  try {
    const value: unknown = JSON.parse(text)
    if (!isStored(value)) throw new Error('it has no steps')
    return value
  } catch (error) {
    throw unreadable(path, error)
  }
}

const isStored = (value: unknown): value is Stored =>
  typeof value === 'object' &&
  value !== null &&
  'step' in value &&
  typeof value.step === 'number' &&
  'events' in value &&
  Array.isArray(value.events)

const readOrNothing = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw new UserError(`--data-dir: ${path} can't be read (${errorCode(error)})`, { cause: error, exitCode: 2 })
  }
}

/** The steps after the stored state; a last line without its end was never answered, and is dropped. */
const readEvents = (
  dir: string,
  from: { readonly step: number; readonly state: State },
): { readonly state: State; readonly step: number; readonly bytes: number } => {
  const path = join(dir, EVENTS)
  const text = readOrNothing(path) ?? ''
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  let { step, state } = from
  try {
    for (const line of whole.split('\n')) {
      if (line === '') continue
      const value: unknown = JSON.parse(line)
      if (!isStored(value)) throw new Error('a line is no step')
      // A kill between the writing of the whole state and the emptying of this file leaves steps that the state has.
      if (value.step <= from.step) continue
      state = evolve(state, value.events)
      step = value.step
    }
  } catch (error) {
    throw unreadable(path, error)
  }
  return { state, step, bytes: Buffer.byteLength(whole) }
}

const writeStored = (dir: string, stored: Stored): void => {
  const path = join(dir, STATE)
  writeFileSync(`${path}.tmp`, JSON.stringify(stored), { mode: 0o600 })
  renameSync(`${path}.tmp`, path)
}
