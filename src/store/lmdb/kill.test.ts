import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import { realClock, silentLogger } from '../../base/index.ts'
import type { Store } from '../store.ts'
import { openLmdbStore } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'fairway-kill-'))
const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const KILLS = 20
const writeLoad = fileURLToPath(new URL('testing/write-load.ts', import.meta.url))

interface Acknowledged {
  readonly revision: number
  readonly value: string
  readonly keys: readonly string[]
  readonly removed?: string
}

/** Runs the load until `count` writes were acknowledged, kills it right then, and gives everything that it said before it died. */
const runAndKill = async (round: number, count: number): Promise<{ opened: number; acknowledged: readonly Acknowledged[] }> => {
  const child = spawn(process.execPath, ['--import', 'tsx', writeLoad, folder, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  const closed = once(child, 'close')
  const acknowledged: Acknowledged[] = []
  let opened = -1
  for await (const line of createInterface({ input: child.stdout })) {
    const said = parse(line)
    if (said === undefined) continue
    if ('opened' in said) opened = said.opened
    else acknowledged.push(said)
    if (acknowledged.length === count) child.kill('SIGKILL')
  }
  const [code, signal] = await closed
  children.delete(child)
  expect([code, signal]).toEqual([null, 'SIGKILL'])
  return { opened, acknowledged }
}

/** The last line may be cut off. */
const parse = (line: string): Acknowledged | { readonly opened: number } | undefined => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** Every acknowledged write is there unless a later one replaced it; revisions have no gap; the history agrees with what is present. */
const checkStore = async (store: Store, acknowledged: readonly Acknowledged[]): Promise<void> => {
  const { entries, revision } = await store.range({ prefix: '/' })
  expect(revision).toBe(store.revision)
  expect(revision).toBeGreaterThanOrEqual(acknowledged.at(-1)?.revision ?? 0)
  const present = new Map(entries.map((entry) => [entry.key, entry]))
  const last = new Map<string, { revision: number; value: string | undefined }>()
  for (const each of [...acknowledged].sort((a, b) => a.revision - b.revision)) {
    for (const key of each.keys) last.set(key, { revision: each.revision, value: each.value })
    if (each.removed !== undefined) last.set(each.removed, { revision: each.revision, value: undefined })
  }
  for (const [key, expected] of last) {
    const entry = present.get(key)
    // What was written but not acknowledged before the kill may be there, too.
    if (entry !== undefined && entry.modRevision > expected.revision) continue
    if (entry === undefined && expected.value !== undefined)
      expect(await deletedAfter(store, key, expected.revision), key).toBe(true)
    else
      expect(entry === undefined ? undefined : Buffer.from(entry.value).toString().replace(/\.+$/, ''), key).toBe(expected.value)
  }
  for (const entry of entries) expect(entry.modRevision).toBeLessThanOrEqual(revision)
}

const HISTORY = 100

const deletedAfter = async (store: Store, key: string, after: number): Promise<boolean> => {
  for await (const batch of store.watch(key, Math.max(after, store.revision - HISTORY), AbortSignal.timeout(1000))) {
    if (batch.changes.some((change) => change.type === 'delete' && change.key === key)) return true
  }
  return false
}

const checkHistory = async (store: Store): Promise<void> => {
  const from = Math.max(0, store.revision - HISTORY)
  const seen: number[] = []
  if (from === store.revision) return
  for await (const batch of store.watch('', from, AbortSignal.timeout(5000))) {
    seen.push(batch.revision)
    if (batch.revision === store.revision) break
  }
  expect(seen).toEqual(Array.from({ length: store.revision - from }, (_, index) => from + index + 1))
}

it(`loses nothing that was acknowledged, over ${KILLS} kills at random moments under write load`, {
  timeout: 60_000,
}, async () => {
  let lastRevision = 0
  for (let round = 0; round < KILLS; round++) {
    const { opened, acknowledged } = await runAndKill(round, 1 + Math.floor(Math.random() * 400))
    expect(opened).toBeGreaterThanOrEqual(lastRevision)
    expect(acknowledged[0]?.revision).toBeGreaterThan(opened)
    const store = await openLmdbStore({ path: folder, clock: realClock, log: silentLogger, maxRevisions: 500 })
    try {
      await checkStore(store, acknowledged)
      await checkHistory(store)
      const next = await store.transact({
        conditions: [],
        writes: [{ type: 'put', key: '/alive', value: Buffer.from(String(round)) }],
      })
      expect(next).toEqual({ committed: true, revision: store.revision })
      lastRevision = store.revision
    } finally {
      await store.close()
    }
  }
})
