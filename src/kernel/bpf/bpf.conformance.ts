import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  arithmetic,
  at,
  call,
  exit,
  fp,
  type Instruction,
  label,
  load,
  mapAddress,
  move,
  r0,
  r1,
  r2,
  r6,
  store,
  when,
} from './instructions.ts'
import type { Bpf, BpfMap, Cgroup, Hook, LoadedProgram, MapKind, MapSpec } from './objects.ts'

export interface BpfHarness {
  readonly bpf: Bpf
  /** Of a cgroup that only this test uses; undefined where there is one only. */
  readonly folder: string | undefined
  /** A process in the cgroup connects to a port of 127.0.0.1; gives the port that it reached. */
  connect(port: number): Promise<number>
  /** Two ports of 127.0.0.1 on which something listens. */
  readonly ports: readonly [number, number]
  close(): Promise<void>
}

/** What every {@link Bpf} does: on the fake and, as root, on this machine's kernel. */
export const bpfConformance = (name: string, open: () => Promise<BpfHarness>): void => {
  describe(`bpf conformance: ${name}`, () => {
    let harness: BpfHarness
    let cgroup: Cgroup
    const opened: { close(): void }[] = []
    const keep = <T extends { close(): void }>(object: T): T => {
      opened.push(object)
      return object
    }
    const newMap = (kind: MapKind, rest: Partial<MapSpec> = {}): BpfMap =>
      keep(harness.bpf.createMap({ name: 'fw_test', kind, keySize: 4, valueSize: 4, maxEntries: 4, ...rest }))
    const newProgram = (
      instructions: readonly Instruction[],
      maps: readonly BpfMap[] = [],
      hook: Hook = 'connect4',
    ): LoadedProgram =>
      keep(harness.bpf.load({ name: 'fw_test', hook, instructions }, new Map(maps.map((map) => [map.spec.name, map]))))
    const attached = (hook: Hook = 'connect4'): readonly LoadedProgram[] => cgroup.attached(hook, 'fw_test').map(keep)

    beforeEach(async () => {
      harness = await open()
      cgroup = await harness.bpf.openCgroup(harness.folder)
    })
    afterEach(async () => {
      for (const object of opened.splice(0)) object.close()
      cgroup.close()
      await harness.close()
    })

    it('keeps elements of a hash, changes them and forgets them', () => {
      const map = newMap('hash')
      map.update(new Map([elementOf(1, 10), elementOf(2, 20)]))
      map.update(new Map([elementOf(2, 21)]))
      expect(map.read()).toEqual(new Map([elementOf(1, 10), elementOf(2, 21)]))
      map.delete([word(1), word(9)])
      expect(map.read()).toEqual(new Map([elementOf(2, 21)]))
    })
    it('reads thousands of elements back', () => {
      const map = newMap('hash', { maxEntries: 50_000 })
      const elements = new Map(Array.from({ length: 40_000 }, (_, index) => elementOf(index, index * 3)))
      map.update(elements)
      expect(map.read()).toEqual(elements)
    })
    it('says that a hash is full', () => {
      const map = newMap('hash')
      const five = new Map([1, 2, 3, 4, 5].map((key) => elementOf(key, key)))
      expect(() => map.update(five)).toThrow(expect.objectContaining({ name: 'HostError', code: 'E2BIG' }))
    })
    it('holds every element of an array from the start, and zeros where one was deleted', () => {
      const map = newMap('array')
      map.update(new Map([elementOf(1, 10), elementOf(3, 30)]))
      map.delete([word(3)])
      const wanted = new Map([elementOf(0, 0), elementOf(1, 10), elementOf(2, 0), elementOf(3, 0)])
      expect(new Map([...wanted, ...map.read()])).toEqual(wanted)
      expect(map.read().get(word(1))).toBe(word(10))
    })
    it('finds a map by its id as it was made, as long as somebody holds it', () => {
      const spec: MapSpec = { name: 'fw_x', kind: 'lru hash', keySize: 8, valueSize: 2, maxEntries: 128 }
      const map = harness.bpf.createMap(spec)
      const again = harness.bpf.openMap(map.id)
      expect(again?.spec).toEqual(spec)
      again?.close()
      const storage = newMap('socket storage', { maxEntries: 0, valueSize: 40 })
      expect(keep(harness.bpf.openMap(storage.id) ?? map).spec).toEqual(storage.spec)
      map.close()
      expect(harness.bpf.openMap(2 ** 31 - 1)).toBeUndefined()
    })
    it('gives equal programs an equal tag, whatever their maps', () => {
      const [a, b] = [newMap('hash'), newMap('hash')]
      expect(newProgram(redirect(1, 2), [a]).tag).toBe(newProgram(redirect(1, 2), [b]).tag)
      expect(newProgram(redirect(1, 2), [a]).tag).not.toBe(newProgram(redirect(1, 3), [a]).tag)
      expect(newProgram(redirect(1, 2), [a]).mapIds).toEqual([a.id])
    })
    it('runs what is attached for processes of the cgroup, until it is detached', async () => {
      const [from, to] = harness.ports
      expect(await harness.connect(from)).toBe(from)
      cgroup.attach('connect4', newProgram(redirect(from, to), [newMap('hash')]))
      expect(await harness.connect(from)).toBe(to)
      for (const program of attached()) cgroup.detach('connect4', program)
      expect(await harness.connect(from)).toBe(from)
    })
    it('counts in a map that its holder reads', async () => {
      const [from, to] = harness.ports
      const map = newMap('hash')
      map.update(new Map([elementOf(0, 0)]))
      cgroup.attach('connect4', newProgram(redirect(from, to), [map]))
      await harness.connect(from)
      await harness.connect(from)
      expect(map.read()).toEqual(new Map([elementOf(0, 2)]))
    })
    it('keeps programs and their maps when their maker lets go, and finds them by name', async () => {
      const [from, to] = harness.ports
      const map = harness.bpf.createMap({ name: 'fw_test', kind: 'hash', keySize: 4, valueSize: 4, maxEntries: 4 })
      map.update(new Map([elementOf(0, 5)]))
      const program = harness.bpf.load(
        { name: 'fw_test', hook: 'connect4', instructions: redirect(from, to) },
        new Map([['fw_test', map]]),
      )
      cgroup.attach('connect4', program)
      program.close()
      map.close()
      expect(await harness.connect(from)).toBe(to)
      const [found] = attached()
      expect(keep(harness.bpf.openMap(found?.mapIds[0] ?? 0) ?? newMap('hash')).read()).toEqual(new Map([elementOf(0, 6)]))
      expect(cgroup.attached('connect4', 'another')).toEqual([])
    })
    it('puts one program in the place of another, beside those of others', async () => {
      const [from, to] = harness.ports
      const map = newMap('hash')
      const other = keep(harness.bpf.load({ name: 'other', hook: 'connect4', instructions: allow }, new Map()))
      cgroup.attach('connect4', other)
      cgroup.attach('connect4', newProgram(redirect(from, to), [map]))
      cgroup.attach('connect4', newProgram(redirect(to, from), [map]), attached()[0])
      expect(attached()).toHaveLength(1)
      expect(await harness.connect(from)).toBe(from)
      expect(await harness.connect(to)).toBe(from)
      expect(cgroup.attached('connect4', 'other').map(keep)).toHaveLength(1)
      expect(cgroup.isExclusive('connect4')).toBe(false)
      for (const program of [...attached(), ...cgroup.attached('connect4', 'other').map(keep)]) cgroup.detach('connect4', program)
    })
  })
}

const word = (value: number): string => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.toString('latin1')
}
const elementOf = (key: number, value: number): [string, string] => [word(key), word(value)]
const swapped = (port: number): number => ((port & 0xff) << 8) | (port >> 8)
const allow = [move(r0, 1), exit]

/** Leads from one port to another and counts in element 0 of its map, where that is. */
const redirect = (from: number, to: number): readonly Instruction[] => [
  move(r6, r1),
  load('u32', r1, at(r6, 24)),
  when(r1, 'ne', swapped(from), 'out'),
  move(r1, swapped(to)),
  store('u32', at(r6, 24), r1),
  move(r1, 0),
  store('u32', at(fp, -4), r1),
  mapAddress(r1, 'fw_test'),
  move(r2, fp),
  arithmetic(r2, 'add', -4),
  call('map_lookup_elem'),
  when(r0, 'eq', 0, 'out'),
  load('u32', r1, at(r0, 0)),
  arithmetic(r1, 'add', 1),
  store('u32', at(r0, 0), r1),
  label('out'),
  ...allow,
]
