import { open as openLmdb } from 'lmdb'
import type { Tables } from './tables.ts'

const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const

/** Opens LMDB in a folder that exists. Damaged files can crash the process here: see verify.ts. */
export const openEnvironment = (path: string, options: { readonly readOnly?: boolean } = {}): Tables => {
  const root = openLmdb<Buffer, Buffer>({
    ...BINARY,
    path,
    noSubdir: false,
    maxDbs: 8,
    readOnly: options.readOnly ?? false,
    // Acknowledged means synced: LMDB's promise resolves after fsync only without overlapping syncs.
    overlappingSync: false,
    // One batch is one commit; without this LMDB wraps it in another one, whose failure nobody can handle.
    eventTurnBatching: false,
  })
  const table = (name: string) => root.openDB<Buffer, Buffer>(name, BINARY)
  return { root, current: table('current'), versions: table('versions'), events: table('events'), meta: table('meta') }
}
