import { closeSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { realExec } from '../index.ts'
import { loadLibc, networkCookie, openBpf, openCgroupRoot } from './index.ts'

const libc = await loadLibc()
const opened: number[] = []
const keep = (fd: number): number => {
  opened.push(fd)
  return fd
}
const HASH = 1
const NO_PREALLOC = 1
const CONNECT4 = 10
const hash = { type: HASH, flags: NO_PREALLOC, keySize: 4, valueSize: 8, maxEntries: 100, name: 'fw_test' }

// bpf(2) needs root, and koffi; src/kernel/bpf has a fake that needs neither.
describe.skipIf('missing' in libc || process.getuid?.() !== 0)('bpf(2) by its commands', () => {
  if ('missing' in libc) return
  const bpf = openBpf(libc)
  afterEach(() => {
    for (const fd of opened.splice(0)) closeSync(fd)
  })

  it('makes a map, fills it in one call and by element, and gives everything back', () => {
    const map = keep(bpf.createMap(hash))
    const keys = Buffer.from(Uint32Array.of(1, 2, 3).buffer)
    const values = Buffer.from(BigUint64Array.of(10n, 20n, 30n).buffer)
    bpf.updateElements(map, keys, values, 3)
    bpf.updateElement(map, keys.subarray(0, 4), values.subarray(16, 24))
    bpf.deleteElement(map, keys.subarray(4, 8))
    bpf.deleteElement(map, keys.subarray(4, 8))
    expect(bpf.lookupElement(map, keys.subarray(0, 4), 8)?.readBigUInt64LE()).toBe(30n)
    expect(bpf.lookupElement(map, keys.subarray(4, 8), 8)).toBeUndefined()
    const { count, keys: gotKeys, values: gotValues } = bpf.dump(map, hash)
    const got = Array.from({ length: count }, (_, index) => [
      gotKeys.readUInt32LE(index * 4),
      gotValues.readBigUInt64LE(index * 8),
    ])
    expect(got.sort()).toEqual([
      [1, 30n],
      [3, 30n],
    ])
    expect(bpf.mapInfo(map)).toMatchObject({ name: 'fw_test', type: HASH, keySize: 4, valueSize: 8, maxEntries: 100 })
  })
  it('names the call and the errno of what is refused', () => {
    expect(() => bpf.createMap({ ...hash, keySize: 0 })).toThrow(
      expect.objectContaining({ name: 'HostError', code: 'EINVAL', message: 'bpf MAP_CREATE fw_test: EINVAL' }),
    )
    expect(() => bpf.programById(2 ** 31)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })
  it('opens the root of the cgroup tree and leaves no mount', async () => {
    const mounts = async () => (await realExec(['cat', '/proc/self/mountinfo'])).stdout
    const before = await mounts()
    const root = keep(openCgroupRoot(libc))
    expect(await mounts()).toBe(before)
    expect(bpf.attached(root, CONNECT4).isExclusive).toBe(false)
  })
  it('knows network namespaces by their cookies', async () => {
    const name = `fb${process.pid}`
    await realExec(['ip', 'netns', 'add', name])
    try {
      const other = networkCookie(libc, `/run/netns/${name}`)
      expect(other).not.toBe(networkCookie(libc))
      expect(networkCookie(libc, `/run/netns/${name}`)).toBe(other)
      expect(networkCookie(libc, '/proc/self/ns/net')).toBe(networkCookie(libc))
    } finally {
      await realExec(['ip', 'netns', 'del', name])
    }
  })
})
