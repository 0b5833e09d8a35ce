import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Exec, HostError, realExec } from '../../host/index.ts'
import { type Command, createNft, type Nft, renderTransaction, type Transaction } from './index.ts'
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
      'a range',
      '{"nftables": [{"set": {"name": "a", "type": "ipv4_addr", "elem": [{"range": ["1.1.1.1", "1.1.1.3"]}]}}]}',
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

const behaves = (open: () => Nft): void => {
  it('gives back what it was told, but no elements that packets write', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit(withElements)
    const contents = await nft.readTable(table)
    const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
    expect([...(contents?.elements ?? [])].sort(byText)).toEqual([...elements].sort(byText))
    expect(contents?.chains).toEqual(['output', 'refuse'])
    expect(contents?.sets.map(({ name, type, data }) => ({ name, type, data }))).toEqual(
      build.flatMap((command) =>
        command.kind === 'add set' ? [{ name: command.set.name, type: command.set.type, data: command.set.data }] : [],
      ),
    )
  })
  it('changes nothing when a part is refused', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit(withElements)
    const refused: Transaction = {
      table,
      commands: [
        { kind: 'add elements', elements: [{ set: 'pods', key: '10.9.0.1' }] },
        { kind: 'delete elements', elements: [{ set: 'services', key: '10.96.0.9 . tcp . 1' }] },
      ],
    }
    await expect(nft.commit(refused)).rejects.toThrow('No such file or directory')
    expect((await nft.readTable(table))?.elements).toHaveLength(elements.length)
  })
  it('replaces the value of an element in one transaction', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit(withElements)
    const key = '10.96.0.1 . tcp . 80'
    await nft.commit({
      table,
      commands: [
        { kind: 'delete elements', elements: [{ set: 'services', key }] },
        { kind: 'add elements', elements: [{ set: 'services', key, value: 'drop' }] },
      ],
    })
    expect((await nft.readTable(table))?.elements).toContainEqual({ set: 'services', key, value: 'drop' })
  })
  it('deletes a table that is there or not, and says that there is none', async () => {
    const nft = open()
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    expect(await nft.readTable(table)).toBeUndefined()
  })
  it('can be used here', async () => expect(await open().probe()).toBeUndefined())
}

describe('the fake', () => {
  const nft = fakeNft()
  behaves(() => nft)
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
const canTry = await realExec(['nft', '--version']).then(
  () => process.getuid?.() === 0,
  () => false,
)
// Without root or nft there is no kernel to ask; the fake is held to the same cases above.
describe.skipIf(!canTry)('the kernel', () => {
  beforeAll(async () => void (await realExec(['ip', 'netns', 'add', namespace])))
  afterAll(async () => void (await realExec(['ip', 'netns', 'del', namespace])))
  behaves(() => createNft((argv, options) => realExec(['ip', 'netns', 'exec', namespace, ...argv], options)))
})
