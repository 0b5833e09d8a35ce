import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Exec, HostError, realExec } from '../../host/index.ts'
import { loadLibc } from '../../host/native/index.ts'
import {
  type Command,
  createNft,
  type Element,
  type Nft,
  RefusedElements,
  renderTransaction,
  ruleMark,
  type Transaction,
} from './index.ts'
import { parseTable } from './read-back.ts'
import { fakeNft } from './testing/index.ts'

const table = { family: 'ip', name: 'fairway-nft' } as const
const build: readonly Command[] = [
  { kind: 'add table' },
  { kind: 'add set', set: { name: 'pods', type: ['ipv4_addr'], flags: ['interval'] } },
  { kind: 'add set', set: { name: 'services', type: ['ipv4_addr', 'inet_proto', 'inet_service'], data: ['verdict'] } },
  { kind: 'add set', set: { name: 'numbers', type: ['mark', 'classid'], data: ['classid'] } },
  {
    kind: 'add set',
    set: { name: 'affinity', type: ['ipv4_addr', 'mark'], data: ['classid'], size: 16, flags: ['dynamic', 'timeout'] },
  },
  { kind: 'add chain', chain: { name: 'output', hook: { type: 'nat', hook: 'output', priority: -100 } } },
  { kind: 'add chain', chain: { name: 'refuse' } },
  { kind: 'set rules', chain: 'output', rules: ['ip daddr . meta l4proto . th dport vmap @services'] },
  { kind: 'set rules', chain: 'refuse', rules: ['reject'] },
]
const elements = [
  { set: 'pods', key: '10.1.1.0/24' },
  { set: 'pods', key: '10.1.2.1' },
  { set: 'services', key: '10.96.0.1 . tcp . 80', value: 'goto refuse' },
  { set: 'services', key: '10.96.0.1 . sctp . 80', value: 'drop' },
  { set: 'numbers', key: '305441741 . 0:1', value: '12ab:34cd' },
]
const withElements: Transaction = { table, commands: [...build, { kind: 'add elements', elements }] }

describe('rendering', () => {
  it.each([
    ['a name', { kind: 'add chain', chain: { name: 'a;b' } }],
    ['a rule', { kind: 'set rules', chain: 'a', rules: ['accept\nflush ruleset'] }],
    ['a key', { kind: 'delete elements', elements: [{ set: 'a', key: '1 } ; flush ruleset' }] }],
    ['a value', { kind: 'add elements', elements: [{ set: 'a', key: '1', value: 'accept, 2' }] }],
  ] as const)('refuses %s that could end its command', (_, command) => {
    expect(() => renderTransaction({ table, commands: [command as Command] })).toThrow('is not plain text')
  })
  it('splits many elements into several commands of one transaction', () => {
    const many = Array.from({ length: 4_001 }, (_, index) => ({ set: 'pods', key: `10.0.${index >> 8}.${index & 255}` }))
    const lines = renderTransaction({ table, commands: [{ kind: 'add elements', elements: many }] })
      .trimEnd()
      .split('\n')
    expect(lines).toHaveLength(3)
  })
})

describe('reading back', () => {
  it.each([
    ['no JSON', 'table ip x', 'answer is not JSON'],
    ['another document', '{"a": 1}', 'a list was expected'],
    [
      'an element of another form',
      '{"nftables": [{"set": {"name": "a", "type": "ipv4_addr", "elem": [{"counter": 1}]}}]}',
      'unknown form',
    ],
    [
      'a map element without value',
      '{"nftables": [{"map": {"name": "a", "type": "mark", "map": "mark", "elem": ["1"]}}]}',
      'a list was expected',
    ],
  ])('refuses %s', (_, text, message) => expect(() => parseTable(text)).toThrow(message))
})

describe('probing', () => {
  const failing =
    (details: { code: string; stderr?: string }): Exec =>
    () =>
      Promise.reject(
        new HostError('command nft not found; install it: apt-get install nftables', { command: ['nft'], ...details }),
      )
  it('says which package is missing', async () => {
    expect(await createNft(failing({ code: 'ENOENT' })).probe()).toContain('apt-get install nftables')
  })
  it('says that rights are missing', async () => {
    expect(await createNft(failing({ code: 'EEXIT', stderr: 'Operation not permitted (you must be root)' })).probe()).toContain(
      'CAP_NET_ADMIN',
    )
  })
  it('says that nft is too old', async () => {
    const old: Exec = async () => ({ stdout: 'nftables v0.9.8 (E.D.S.)', stderr: '', code: 0 })
    expect(await createNft(old).probe()).toContain('version 0.9.8 is too old')
  })
})

/** As a transaction writes them. */
const elementsOf = (contents: Awaited<ReturnType<Nft['readTable']>>): readonly Element[] =>
  [...(contents?.elements ?? [])].flatMap(([set, members]) =>
    [...members].map(([key, value]) => (value === '' ? { set, key } : { set, key, value })),
  )
const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

const behaves = (open: () => Nft): void => {
  it('gives back what it was told, but no elements that packets write', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit(withElements)
    const contents = await nft.readTable(table)
    expect([...elementsOf(contents)].sort(byText)).toEqual([...elements].sort(byText))
    expect(contents?.chains).toEqual([
      {
        name: 'output',
        hook: { type: 'nat', hook: 'output', priority: -100 },
        rules: [ruleMark('ip daddr . meta l4proto . th dport vmap @services')],
      },
      { name: 'refuse', rules: [ruleMark('reject')] },
    ])
    expect(contents?.flags).toBeUndefined()
    expect(contents?.sets.map(({ name, type, data }) => ({ name, type, data }))).toEqual(
      build.flatMap((command) =>
        command.kind === 'add set' ? [{ name: command.set.name, type: command.set.type, data: command.set.data }] : [],
      ),
    )
  })
  it('changes nothing when a part is refused, and names the part', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit(withElements)
    const missing = { set: 'services', key: '10.96.0.9 . tcp . 1' }
    const refused: Transaction = {
      table,
      commands: [
        { kind: 'add elements', elements: [{ set: 'pods', key: '10.9.0.1' }] },
        { kind: 'delete elements', elements: [{ set: 'services', key: '10.96.0.1 . tcp . 80' }, missing] },
      ],
    }
    const failure = await nft.commit(refused).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Error)
    expect(String(failure)).toContain('No such file or directory')
    if (failure instanceof RefusedElements) expect(failure.refusals).toMatchObject([{ element: missing, code: 'ENOENT' }])
    expect(elementsOf(await nft.readTable(table))).toHaveLength(elements.length)
  })
  it('replaces the value of an element in one transaction, and refuses to do so without deleting it', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit(withElements)
    const key = '10.96.0.1 . tcp . 80'
    const add: Command = { kind: 'add elements', elements: [{ set: 'services', key, value: 'drop' }] }
    await expect(nft.commit({ table, commands: [add] })).rejects.toThrow('File exists')
    await nft.commit({ table, commands: [{ kind: 'delete elements', elements: [{ set: 'services', key }] }, add] })
    expect((await nft.readTable(table))?.elements.get('services')?.get(key)).toBe('drop')
  })
  it('deletes a table that is there or not, and says that there is none', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    expect(await nft.readTable(table)).toBeUndefined()
    await expect(nft.commit({ table, commands: [{ kind: 'add elements', elements }] })).rejects.toThrow(
      'No such file or directory',
    )
  })
  it('replaces a whole table, elements and all, in one transaction', async () => {
    const nft = open()
    await nft.commit(withElements)
    await nft.commit({ table, commands: [{ kind: 'delete table' }, ...withElements.commands.slice(0, -1)] })
    expect(elementsOf(await nft.readTable(table))).toEqual([])
  })
  it('deletes chains and sets that nothing leads to, and no others', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit(withElements)
    await expect(nft.commit({ table, commands: [{ kind: 'delete chain', chain: 'refuse' }] })).rejects.toThrow('resource busy')
    await nft.commit({
      table,
      commands: [
        { kind: 'delete elements', elements: [{ set: 'services', key: '10.96.0.1 . tcp . 80' }] },
        { kind: 'delete chain', chain: 'refuse' },
        { kind: 'delete set', set: 'numbers', isMap: true },
        { kind: 'delete set', set: 'pods', isMap: false },
      ],
    })
    const contents = await nft.readTable(table)
    expect(contents?.chains.map(({ name }) => name)).toEqual(['output'])
    expect(contents?.sets.map(({ name }) => name)).toEqual(['services', 'affinity'])
  })
  it('takes ranges of sources behind exact frontends, neighbours in intervals, and refuses what overlaps', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit({ table, commands: build })
    const type = ['ipv4_addr', 'inet_proto', 'inet_service', 'ipv4_addr']
    const some = [
      { set: 'allowed', key: '10.96.0.1 . tcp . 80 . 10.0.0.0/8' },
      { set: 'allowed', key: '10.96.0.1 . tcp . 80 . 192.0.2.1' },
      { set: 'allowed', key: '10.96.0.1 . udp . 53 . 0.0.0.0/0' },
      { set: 'pods', key: '10.2.0.0/24' },
      { set: 'pods', key: '10.2.1.0/24' },
      { set: 'pods', key: '255.255.255.0/24' },
    ]
    await nft.commit({
      table,
      commands: [
        { kind: 'add set', set: { name: 'allowed', type, flags: ['interval'] } },
        { kind: 'add elements', elements: some },
      ],
    })
    expect([...elementsOf(await nft.readTable(table))].sort(byText)).toEqual([...some].sort(byText))
    const inside = { set: 'pods', key: '10.2.0.128/25' }
    await expect(nft.commit({ table, commands: [{ kind: 'add elements', elements: [inside] }] })).rejects.toThrow(
      /exists|overlap/,
    )
    await nft.commit({ table, commands: [{ kind: 'delete elements', elements: some.slice(1, 4) }] })
    expect([...elementsOf(await nft.readTable(table))].sort(byText)).toEqual([...some.slice(0, 1), ...some.slice(4)].sort(byText))
  })
  it('keeps IPv6 elements as they are written', async () => {
    const nft = open()
    const six = { family: 'ip6', name: table.name } as const
    const members = ['::', '::1', 'fd00::1', 'fd00:0:0:1::', '1:2:3:4:5:6:7:8', '2001:db8::1:0:0:1', '::ffff:1.2.3.4'].map(
      (key) => ({ set: 'six', key }),
    )
    const ranges = [
      { set: 'ranges', key: 'fd00:1::/64' },
      { set: 'ranges', key: 'fd00:2::7' },
    ]
    const frontends = [{ set: 'endpoints', key: 'fd00:96::1 . tcp . 80 . 0:8001', value: 'fd00:1::2 . 8080' }]
    await nft.commit({
      table: six,
      commands: [
        { kind: 'delete table' },
        { kind: 'add table' },
        { kind: 'add set', set: { name: 'six', type: ['ipv6_addr'] } },
        { kind: 'add set', set: { name: 'ranges', type: ['ipv6_addr'], flags: ['interval'] } },
        {
          kind: 'add set',
          set: {
            name: 'endpoints',
            type: ['ipv6_addr', 'inet_proto', 'inet_service', 'classid'],
            data: ['ipv6_addr', 'inet_service'],
          },
        },
        { kind: 'add elements', elements: [...members, ...ranges, ...frontends] },
      ],
    })
    const contents = await nft.readTable(six)
    expect([...elementsOf(contents)].sort(byText)).toEqual([...members, ...ranges, ...frontends].sort(byText))
  })
  it('names the element among thousands that was refused', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit(withElements)
    const key = (index: number) => `10.97.${index >> 8}.${index & 255} . tcp . 80`
    const many = Array.from({ length: 5_000 }, (_, index) => ({ set: 'services', key: key(index), value: 'goto refuse' }))
    const bad = { set: 'services', key: key(4_321), value: 'goto nowhere' }
    many[4_321] = bad
    const failure = await nft
      .commit({ table, commands: [{ kind: 'add elements', elements: many }] })
      .catch((error: unknown) => error)
    expect(String(failure)).toMatch(/No such file or directory|Could not process rule/)
    if (failure instanceof RefusedElements) expect(failure.refusals).toMatchObject([{ element: bad, code: 'ENOENT' }])
    expect((await nft.readTable(table))?.elements.get('services')?.size).toBe(2)
  })
  it('can be used here', async () => expect(await open().probe()).toBeUndefined())
}

/** Of those that can tell of others: `meddle` is another process. */
const notices = (open: () => Nft, meddle: (command: string) => Promise<void> | void): void => {
  it('tells of changes to a table by others, and only of those', async () => {
    const nft = open()
    const stop = new AbortController()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit(withElements)
    const before = await nft.othersChanges()
    const heard: string[] = []
    let hear = (_: string): void => {}
    expect(nft.watch([table], (who) => heard.push(who) && hear(who), stop.signal)).toBe(true)
    await nft.commit({ table, commands: [{ kind: 'delete elements', elements: elements.slice(0, 1) }] })
    expect(await nft.othersChanges()).toBe(before)
    await meddle('add table ip someone-else')
    const next = new Promise<string>((resolve) => {
      hear = resolve
    })
    await meddle('add element ip fairway-nft pods { 10.5.0.0/16 }')
    expect(await next).toMatch(/^nft \(process \d+\)$/)
    expect(heard).toHaveLength(1)
    expect((await nft.othersChanges()) ?? 0).toBeGreaterThan(before ?? 0)
    stop.abort()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
  })
}

describe('the fake', () => {
  const nft = fakeNft()
  behaves(() => nft)
  notices(
    () => nft,
    (command) => nft.meddle(command),
  )
  it('fails on rule text that it does not know', async () => {
    await nft.commit({ table, commands: [...build, { kind: 'set rules', chain: 'output', rules: ['meta nftrace set 1'] }] })
    const packet = {
      hook: 'output',
      source: '10.0.0.1',
      isSourceLocal: true,
      destination: { address: '10.0.0.2', port: 1 },
    } as const
    expect(() => nft.evaluate({ ...packet, protocol: 'tcp' })).toThrow('is unknown')
  })
})

const namespace = `fnft${process.pid % 100_000}`
const inNamespace: Exec = (argv, options) => realExec(['ip', 'netns', 'exec', namespace, ...argv], options)
const isRoot = process.getuid?.() === 0
const hasTool = await realExec(['nft', '--version']).then(
  () => true,
  () => false,
)
const libc = await loadLibc()
// Without root or nft there is no kernel to ask; the fake is held to the same cases above.
describe.skipIf(!isRoot)('the kernel', () => {
  beforeAll(async () => void (await realExec(['ip', 'netns', 'add', namespace])))
  afterAll(async () => void (await realExec(['ip', 'netns', 'del', namespace])))
  describe.skipIf(!hasTool)('through the tool', () => behaves(() => createNft(inNamespace)))
  describe.skipIf('missing' in libc)('in process', () => {
    const nft = createNft(inNamespace, { libc, namespace: `/run/netns/${namespace}` })
    afterAll(() => nft.close())
    behaves(() => nft)
    notices(
      () => nft,
      async (command) => void (await inNamespace(['nft', ...command.split(' ')])),
    )
  })
})
