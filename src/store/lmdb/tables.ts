import { crc32 } from 'node:zlib'
import type { Database, RootDatabase, Transaction } from 'lmdb'
import type { Entry, Revision } from '../store.ts'

type Table = Database<Buffer, Buffer>

/**
 * What is on disk. `current` holds the present entries, `versions` those that were overwritten or deleted and are not yet
 * compacted, `events` one row for each transaction. A value is written once; overwriting moves the old one to `versions`.
 */
export interface Tables {
  readonly root: RootDatabase<Buffer, Buffer>
  /** key → createRevision, modRevision, checksum, value */
  readonly current: Table
  /** key, 0, modRevision → createRevision, endRevision, checksum, value */
  readonly versions: Table
  /** revision → checksum, time and changes */
  readonly events: Table
  readonly meta: Table
}

/** A read snapshot of LMDB: everything read with it is of one revision. */
export type Snapshot = Transaction

/** Runs `read` on one snapshot; keep it short, for a snapshot pins pages. */
export const withSnapshot = <T>(tables: Tables, read: (snapshot: Snapshot) => T): T => {
  const snapshot = tables.root.useReadTransaction()
  try {
    return read(snapshot)
  } finally {
    snapshot.done()
  }
}

/** LMDB takes keys up to 1978 bytes; a version key is 9 bytes longer than its key. */
const MAX_KEY_BYTES = 1024

/** The bytes of a key; throws for one that cannot be stored. Without NUL, so that version keys sort like keys. */
export const encodeKey = (key: string): Buffer => {
  const bytes = Buffer.from(key, 'utf8')
  const shown = JSON.stringify(key.slice(0, 80))
  if (bytes.length === 0) throw new RangeError('store: a key must not be empty')
  if (bytes.length > MAX_KEY_BYTES)
    throw new RangeError(`store: key ${shown}... has ${bytes.length} bytes; at most ${MAX_KEY_BYTES} can be stored`)
  if (bytes.includes(0)) throw new RangeError(`store: key ${shown} holds a NUL character`)
  if (bytes.toString('utf8') !== key) throw new RangeError(`store: key ${shown} is not well-formed Unicode`)
  return bytes
}

/** The first key after every key that starts with `prefix`; undefined when there is none. */
export const prefixEnd = (prefix: Buffer): Buffer | undefined => {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix[last] ?? 0xff
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, last), Buffer.of(byte + 1)])
  }
  return undefined
}

const REVISION_BYTES = 8
const CHECKSUM_BYTES = 4
const CHECKSUM_AT = 2 * REVISION_BYTES
const HEADER_BYTES = CHECKSUM_AT + CHECKSUM_BYTES
const HIGH = 2 ** 32

const writeRevision = (target: Buffer, revision: Revision, offset: number): void => {
  target.writeUInt32BE(Math.floor(revision / HIGH), offset)
  target.writeUInt32BE(revision % HIGH, offset + 4)
}

const readRevision = (source: Buffer, offset: number): Revision =>
  source.readUInt32BE(offset) * HIGH + source.readUInt32BE(offset + 4)

export const encodeRevision = (revision: Revision): Buffer => {
  const bytes = Buffer.alloc(REVISION_BYTES)
  writeRevision(bytes, revision, 0)
  return bytes
}

export const decodeRevision = (bytes: Buffer): Revision => readRevision(bytes, 0)

const withHeader = (first: Revision, second: Revision, value: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + value.length)
  writeRevision(bytes, first, 0)
  writeRevision(bytes, second, REVISION_BYTES)
  bytes.writeUInt32BE(crc32(value), CHECKSUM_AT)
  bytes.set(value, HEADER_BYTES)
  return bytes
}

export const encodeCurrent = (entry: Entry): Buffer => withHeader(entry.createRevision, entry.modRevision, entry.value)

export const decodeCurrent = (key: string, bytes: Buffer): Entry => ({
  key,
  value: bytes.subarray(HEADER_BYTES),
  createRevision: readRevision(bytes, 0),
  modRevision: readRevision(bytes, REVISION_BYTES),
})

export const versionKey = (key: Buffer, modRevision: Revision): Buffer => {
  const bytes = Buffer.alloc(key.length + 1 + REVISION_BYTES)
  bytes.set(key, 0)
  writeRevision(bytes, modRevision, key.length + 1)
  return bytes
}

export const encodeVersion = (entry: Entry, endRevision: Revision): Buffer =>
  withHeader(entry.createRevision, endRevision, entry.value)

/** An overwritten entry, and the revision at which it ceased to be. */
export interface Version {
  readonly entry: Entry
  readonly endRevision: Revision
}

export const decodeVersion = (keyBytes: Buffer, bytes: Buffer): Version => {
  const keyLength = keyBytes.length - 1 - REVISION_BYTES
  return {
    entry: {
      key: keyBytes.toString('utf8', 0, keyLength),
      value: bytes.subarray(HEADER_BYTES),
      createRevision: readRevision(bytes, 0),
      modRevision: readRevision(keyBytes, keyLength + 1),
    },
    endRevision: readRevision(bytes, REVISION_BYTES),
  }
}

/** One row of `events`: what a transaction changed, without the values. */
export interface EventRecord {
  readonly timeMs: number
  readonly changes: readonly ChangeRecord[]
}

export interface ChangeRecord {
  readonly type: 'put' | 'delete'
  readonly key: string
  /** The modRevision of the entry before; 0 when there was none. */
  readonly previous: Revision
}

export const encodeEvent = (event: EventRecord): Buffer => {
  const changes = event.changes.map(({ type, key, previous }) => [type === 'put' ? 1 : 0, key, previous])
  const text = Buffer.from(JSON.stringify([event.timeMs, changes]))
  const checksum = Buffer.alloc(CHECKSUM_BYTES)
  checksum.writeUInt32BE(crc32(text), 0)
  return Buffer.concat([checksum, text])
}

type EventRow = readonly [number, readonly (readonly [number, string, Revision])[]]

export const decodeEvent = (bytes: Buffer): EventRecord => {
  // Written by encodeEvent; checksums are verified when a folder is opened that was not closed cleanly.
  const [timeMs, changes] = JSON.parse(bytes.toString('utf8', CHECKSUM_BYTES)) as EventRow
  return { timeMs, changes: changes.map(([put, key, previous]) => ({ type: put === 1 ? 'put' : 'delete', key, previous })) }
}

/** Whether a row of `current` or `versions` is as it was written. */
export const isEntryIntact = (bytes: Buffer): boolean =>
  bytes.length >= HEADER_BYTES && bytes.readUInt32BE(CHECKSUM_AT) === crc32(bytes.subarray(HEADER_BYTES))

/** Whether a row of `events` is as it was written. */
export const isEventIntact = (bytes: Buffer): boolean =>
  bytes.length > CHECKSUM_BYTES && bytes.readUInt32BE(0) === crc32(bytes.subarray(CHECKSUM_BYTES))

export const META = {
  format: Buffer.from('format'),
  revision: Buffer.from('revision'),
  compacted: Buffer.from('compacted'),
  owner: Buffer.from('owner'),
} as const

/** The revision stored under a name of `meta`; 0 when there is none. */
export const metaRevision = (tables: Tables, name: 'revision' | 'compacted', snapshot?: Snapshot): Revision => {
  const bytes = tables.meta.get(META[name], snapshot === undefined ? undefined : { transaction: snapshot })
  return bytes === undefined ? 0 : decodeRevision(bytes)
}
