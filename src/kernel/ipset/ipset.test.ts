import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Exec, HostError, realExec } from '../../host/index.ts'
import { type Command, createIpset, type IPSet, type Ipset, renderCommand, type SetPacket } from './index.ts'
import { parseSaved } from './read-back.ts'
import { fakeIpset } from './testing/index.ts'

const SETS: readonly IPSet[] = [
  { name: 'T-ADDRESSES', type: 'hash:ip', family: 'inet', maxElements: 4 },
  { name: 'T-NETS', type: 'hash:net', family: 'inet', maxElements: 1024 },
  { name: 'T-FRONTENDS', type: 'hash:ip,port', family: 'inet', maxElements: 1024 },
  { name: 'T-LOOP', type: 'hash:ip,port,ip', family: 'inet', maxElements: 1024 },
  { name: 'T-SOURCES', type: 'hash:ip,port,net', family: 'inet', maxElements: 1024 },
  { name: 'T-PORTS', type: 'bitmap:port' },
  { name: 'T-6-FRONTENDS', type: 'hash:ip,port', family: 'inet6', maxElements: 1024 },
  { name: 'T-6-SOURCES', type: 'hash:ip,port,net', family: 'inet6', maxElements: 1024 },
]
const MEMBERS: readonly (readonly [string, ...string[]])[] = [
  ['T-ADDRESSES', '10.96.0.10'],
  ['T-NETS', '10.1.1.0/24', '10.2.0.7', '128.0.0.0/1'],
  ['T-FRONTENDS', '10.96.0.10,tcp:80', '10.96.0.10,udp:80', '10.96.0.10,sctp:81'],
  ['T-LOOP', '10.1.1.2,tcp:8080,10.1.1.2'],
  ['T-SOURCES', '10.96.0.10,tcp:80,10.1.0.0/16', '10.96.0.10,tcp:80,192.0.2.1'],
  ['T-PORTS', '0', '30080', '65535'],
  ['T-6-FRONTENDS', 'fd00:96::10,tcp:80'],
  ['T-6-SOURCES', 'fd00:96::10,tcp:80,fd00:1::/64', 'fd00:96::10,tcp:80,::/1', 'fd00:96::10,tcp:80,fd00:2::1'],
]
const owns = (name: string): boolean => name.startsWith('T-')
const add = (set: string, entry: string): Command => ({ kind: 'add', member: { set, entry } })
const remove = (set: string, entry: string): Command => ({ kind: 'delete', member: { set, entry } })
const build: readonly Command[] = [
  ...SETS.map((set) => ({ kind: 'create' as const, set })),
  ...MEMBERS.flatMap(([set, ...entries]) => entries.map((entry) => add(set, entry))),
]

describe('rendering', () => {
  it.each([
    ['a name', { kind: 'flush', set: 'a\ndestroy' }],
    ['a name that is too long', { kind: 'flush', set: 'a'.repeat(32) }],
    ['a member', add('a', '1 timeout 3')],
    ['a member of several lines', add('a', '1\ndestroy')],
  ] as const)('refuses %s', (_, command) => expect(() => renderCommand(command)).toThrow(/is not plain text|longer than 31/))
})

describe('reading back', () => {
  it.each([
    ['another command', 'swap a b'],
    ['a member of no set', 'add T-A 1'],
    ['a member without a value', 'create T-A hash:ip family inet\nadd T-A'],
  ])('refuses %s', (_, text) => expect(() => parseSaved(text, owns)).toThrow('of an unknown form'))
  it('leaves sets of others alone, whatever they are', () => {
    expect(parseSaved('create other list:set size 8\nadd other T-A comment "a b"\n', owns)).toEqual([])
  })
})

describe('probing', () => {
  const failing =
    (details: { code: string; stderr?: string }): Exec =>
    () =>
      Promise.reject(
        new HostError('command ipset not found; install it: apt-get install ipset', { command: ['ipset'], ...details }),
      )
  it.each([
    ['the package that is missing', { code: 'ENOENT' }, 'apt-get install ipset'],
    ['that rights are missing', { code: 'EEXIT', stderr: 'Kernel error received: Operation not permitted' }, 'CAP_NET_ADMIN'],
    ['that the kernel has no sets', { code: 'EEXIT', stderr: 'Kernel support protocol versions' }, 'module ip_set'],
  ])('says %s', async (_, details, message) => expect(await createIpset(failing(details)).probe()).toContain(message))
})

interface World {
  readonly ipset: Ipset
  /** Whether a packet with these values would match: `10.96.0.10,tcp:80,10.1.2.3`. */
  contains(set: string, values: string): Promise<boolean>
  /** Removes the sets of the test. */
  clear(): Promise<void>
}

const behaves = (open: () => World): void => {
  it('gives back what it was told', async () => {
    const { ipset, clear } = open()
    await clear()
    await ipset.commit(build)
    const found = new Map((await ipset.read(owns)).map((set) => [set.name, set]))
    for (const set of SETS) expect(found.get(set.name)).toMatchObject({ ...set, type: set.type })
    for (const [set, ...entries] of MEMBERS) expect([...(found.get(set)?.entries ?? [])].sort()).toEqual([...entries].sort())
  })
  it.each([
    ['T-NETS', '10.1.1.77', true],
    ['T-NETS', '10.1.2.77', false],
    ['T-NETS', '200.1.2.3', true],
    ['T-FRONTENDS', '10.96.0.10,tcp:80', true],
    ['T-FRONTENDS', '10.96.0.10,sctp:80', false],
    ['T-LOOP', '10.1.1.2,tcp:8080,10.1.1.2', true],
    ['T-LOOP', '10.1.1.2,tcp:8080,10.1.1.3', false],
    ['T-SOURCES', '10.96.0.10,tcp:80,10.1.255.255', true],
    ['T-SOURCES', '10.96.0.10,udp:80,10.1.255.255', false],
    ['T-SOURCES', '10.96.0.10,tcp:80,192.0.2.2', false],
    ['T-PORTS', '30080', true],
    ['T-PORTS', '30081', false],
    ['T-6-SOURCES', 'fd00:96::10,tcp:80,fd00:1::ffff', true],
    ['T-6-SOURCES', 'fd00:96::10,tcp:80,7fff::1', true],
    ['T-6-SOURCES', 'fd00:96::10,tcp:80,fd00:2::2', false],
  ])('tests %s for %s', async (set, values, isIn) => {
    const { ipset, contains, clear } = open()
    await clear()
    await ipset.commit(build)
    expect(await contains(set, values)).toBe(isIn)
  })
  it('adds what is there and deletes what is not without an error', async () => {
    const { ipset, clear } = open()
    await clear()
    await ipset.commit(build)
    await ipset.commit([add('T-ADDRESSES', '10.96.0.10'), remove('T-ADDRESSES', '10.96.0.99'), remove('T-PORTS', '30080')])
    const found = new Map((await ipset.read(owns)).map((set) => [set.name, set.entries]))
    expect(found.get('T-ADDRESSES')).toEqual(['10.96.0.10'])
    expect([...(found.get('T-PORTS') ?? [])].sort()).toEqual(['0', '65535'])
  })
  it('does nothing after a command that is refused, which it names', async () => {
    const { ipset, clear } = open()
    await clear()
    await ipset.commit(build)
    const refused = ipset.commit([
      add('T-ADDRESSES', '10.96.0.11'),
      add('T-NOWHERE', '10.96.0.11'),
      add('T-ADDRESSES', '10.96.0.12'),
    ])
    await expect(refused).rejects.toThrow('T-NOWHERE')
    const [addresses] = await ipset.read((name) => name === 'T-ADDRESSES')
    // ipset sends commands in bundles: one before it may be lost too.
    expect(['10.96.0.10', '10.96.0.11']).toEqual(expect.arrayContaining([...(addresses?.entries ?? [])]))
  })
  it('swaps a set for a larger one with other members', async () => {
    const { ipset, clear } = open()
    await clear()
    await ipset.commit(build)
    await ipset.commit([
      { kind: 'create', set: { name: 'T-NEW', type: 'hash:ip', family: 'inet', maxElements: 8 } },
      add('T-NEW', '10.96.0.20'),
      { kind: 'swap', set: 'T-NEW', with: 'T-ADDRESSES' },
      { kind: 'destroy', set: 'T-NEW' },
    ])
    expect(await ipset.read((name) => name === 'T-ADDRESSES' || name === 'T-NEW')).toEqual([
      { name: 'T-ADDRESSES', type: 'hash:ip', family: 'inet', maxElements: 8, entries: ['10.96.0.20'] },
    ])
  })
  it.each([
    ['a set that is there', { kind: 'create', set: { name: 'T-ADDRESSES', type: 'hash:net' } }],
    ['to destroy one that is not', { kind: 'destroy', set: 'T-NOWHERE' }],
    ['a member of another kind', add('T-ADDRESSES', '10.96.0.10,tcp:80')],
    ['an address of the other family', add('T-ADDRESSES', 'fd00::1')],
    ['a net of no length', add('T-NETS', '0.0.0.0/0')],
    ['to swap sets of different types', { kind: 'swap', set: 'T-ADDRESSES', with: 'T-NETS' }],
  ] as const)('refuses %s', async (_, command) => {
    const { ipset, clear } = open()
    await clear()
    await ipset.commit(build)
    await expect(ipset.commit([command])).rejects.toThrow()
  })
  it('refuses one member more than a set may have', async () => {
    const { ipset, clear } = open()
    await clear()
    await ipset.commit(build)
    const many = Array.from({ length: 64 }, (_, index) => add('T-ADDRESSES', `10.97.0.${index}`))
    await expect(ipset.commit(many)).rejects.toThrow()
  })
  it('can be used here', async () => expect(await open().ipset.probe()).toBeUndefined())
}

/** As `ipset test` reads it: address, port, then source. */
const packetOf = (values: string): SetPacket => {
  const port = /^\d+$/.test(values) ? `tcp:${values}` : (/\w+:\d+(?=,|$)/.exec(values.replace(/^[^,]*/, ''))?.[0] ?? 'tcp:0')
  const [first = '', ...rest] = values.split(',')
  const [protocol = '', number] = port.split(':')
  return {
    source: rest.at(-1) ?? first,
    destination: { address: first, port: Number(number) },
    protocol: protocol as SetPacket['protocol'],
  }
}

describe('the fake', () => {
  const ipset = fakeIpset()
  behaves(() => ({
    ipset,
    contains: async (set, values) => ipset.matches(set, set === 'T-NETS' ? ['src'] : ['dst', 'dst', 'src'], packetOf(values)),
    clear: async () => ipset.destroyAll(),
  }))
})

const namespace = `fips${process.pid % 100_000}`
const inside: Exec = (argv, options) => realExec(['ip', 'netns', 'exec', namespace, ...argv], options)
const canTry = await realExec(['ipset', '-v']).then(
  () => process.getuid?.() === 0,
  () => false,
)
// Without root or ipset there is no kernel to ask; the fake is held to the same cases above.
describe.skipIf(!canTry)('the kernel', () => {
  beforeAll(async () => void (await realExec(['ip', 'netns', 'add', namespace])))
  afterAll(async () => void (await realExec(['ip', 'netns', 'del', namespace])))
  behaves(() => ({
    ipset: createIpset(inside),
    contains: async (set, values) => (await inside(['ipset', 'test', set, values], { okCodes: [0, 1] })).code === 0,
    clear: async () => {
      await inside(['ipset', 'flush'])
      await inside(['ipset', 'destroy'])
    },
  }))
})
