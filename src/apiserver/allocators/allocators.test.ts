import { afterEach, describe, expect, it } from 'vitest'
import { realClock, silentLogger } from '../../base/index.ts'
import type { Store } from '../../store/index.ts'
import { openTempStore, type TempStore } from '../../store/testing/temp-store.ts'
import { createAllocators } from './allocators.ts'
import { ipAddressKey, nodePortKey } from './keys.ts'

const temps: TempStore[] = []
const openStore = async (options: Parameters<typeof openTempStore>[0] = {}): Promise<Store> => {
  const temp = await openTempStore(options)
  temps.push(temp)
  return temp.store
}
afterEach(async () => {
  for (const temp of temps.splice(0)) await temp.remove()
})

const put = (store: Store, key: string) =>
  store.transact({ conditions: [], writes: [{ type: 'put', key, value: Buffer.from('{}') }] })
const remove = (store: Store, key: string) => store.transact({ conditions: [], writes: [{ type: 'delete', key }] })

describe('allocators', () => {
  it('know what was stored before they start, and follow what comes', async () => {
    const store = await openStore()
    await put(store, nodePortKey('TCP', 30000))
    const allocators = createAllocators({ store, clock: realClock, log: silentLogger })
    const stopping = new AbortController()
    const { stopped } = await allocators.start(stopping.signal)
    expect(allocators.ports.isFree('TCP', 30000)).toBe(false)
    expect(allocators.ports.isFree('UDP', 30000)).toBe(true)
    await put(store, nodePortKey('UDP', 30000))
    await remove(store, nodePortKey('TCP', 30000))
    await allocators.synced()
    expect(allocators.ports.isFree('TCP', 30000)).toBe(true)
    expect(allocators.ports.isFree('UDP', 30000)).toBe(false)
    stopping.abort()
    await stopped
  })

  it('tell of changes of addresses', async () => {
    const store = await openStore()
    const allocators = createAllocators({ store, clock: realClock, log: silentLogger })
    const stopping = new AbortController()
    const { stopped } = await allocators.start(stopping.signal)
    let changes = 0
    const stop = allocators.onChange(() => changes++)
    await put(store, ipAddressKey('10.0.0.1'))
    await put(store, '/registry/core/configmaps/default/other')
    await allocators.synced()
    expect(changes).toBe(1)
    stop()
    stopping.abort()
    await stopped
  })

  it('load again when they were too slow for the store', async () => {
    const store = await openStore({ maxBufferedChanges: 5 })
    const allocators = createAllocators({ store, clock: realClock, log: silentLogger })
    const stopping = new AbortController()
    const { stopped } = await allocators.start(stopping.signal)
    // One transaction that is larger than any buffer.
    const ports = Array.from({ length: 20 }, (_, index) => nodePortKey('TCP', 30000 + index))
    await store.transact({ conditions: [], writes: ports.map((key) => ({ type: 'put', key, value: Buffer.from('{}') })) })
    await allocators.synced()
    expect(ports.every((_, index) => !allocators.ports.isFree('TCP', 30000 + index))).toBe(true)
    stopping.abort()
    await stopped
  })

  it('nobody waits for ever for allocators that were stopped', async () => {
    const store = await openStore()
    const allocators = createAllocators({ store, clock: realClock, log: silentLogger })
    const stopping = new AbortController()
    const { stopped } = await allocators.start(stopping.signal)
    stopping.abort()
    await stopped
    await put(store, nodePortKey('TCP', 30000))
    await allocators.synced()
  })
})
