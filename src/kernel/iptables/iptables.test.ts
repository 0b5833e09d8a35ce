import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realExec } from '../../host/index.ts'
import {
  type Command,
  chanceOf,
  createIptables,
  type Iptables,
  type Place,
  type Rule,
  renderRule,
  type TableName,
  type Transaction,
} from './index.ts'
import { fakeIptables } from './testing/index.ts'

const owns = (_: TableName, chain: string): boolean => chain.startsWith('FW-')
const nat = (...commands: readonly Command[]): Transaction => [{ table: 'nat', commands }]
const to = (chain: string): string => renderRule({ target: { kind: 'jump', chain } })
const returns = (cidr: string): string => renderRule({ source: { cidr }, target: { kind: 'verdict', verdict: 'RETURN' } })
const addresses = { IPv4: ['10.0.0.1', '10.0.0.0/8', '10.1.1.1:80'], IPv6: ['fd00::1', 'fd00::/64', '[fd00::2]:80'] } as const

/** Every part of a rule that there is. */
const everything = ([one, range, target]: readonly [string, string, string]): Readonly<Record<TableName, readonly Rule[]>> => ({
  nat: [
    {
      source: { cidr: range, not: true },
      destination: { cidr: one },
      protocol: 'tcp',
      comment: 'ns/web:http cluster IP',
      destinationPort: 80,
      sourceIsLocal: false,
      target: { kind: 'mark', value: 0x4000, mask: 0x4000 },
    },
    { mark: { value: 0x4000, mask: 0x4000, not: true }, target: { kind: 'verdict', verdict: 'RETURN' } },
    { target: { kind: 'mark', value: 0x4000, mask: 0 } },
    { recent: { kind: 'check', list: 'FW-A', seconds: 10 }, target: { kind: 'jump', chain: 'FW-EMPTY' } },
    { chance: chanceOf(3), target: { kind: 'jump', chain: 'FW-EMPTY' } },
    { protocol: 'sctp', recent: { kind: 'set', list: 'FW-A' }, target: { kind: 'dnat', to: target } },
    { destinationIsLocal: true, target: { kind: 'jump', chain: 'FW-EMPTY' } },
    { target: { kind: 'masquerade' } },
  ],
  filter: [
    { states: { names: ['ESTABLISHED', 'RELATED'] }, target: { kind: 'verdict', verdict: 'ACCEPT' } },
    {
      states: { names: ['DNAT'], not: true },
      protocol: 'udp',
      destinationPort: 53,
      target: { kind: 'verdict', verdict: 'DROP' },
    },
    { protocol: 'tcp', target: { kind: 'reject', with: 'tcp-reset' } },
    { target: { kind: 'reject' } },
  ],
  mangle: [{ comment: 'only counts' }],
})

/** The same on the fake and on the kernel, in each flavour and family. */
const behaves = (open: () => Iptables, place: Place): void => {
  const contents = async (iptables: Iptables, chain: string): Promise<readonly string[] | undefined> =>
    (await iptables.read(place, owns))
      .find((each) => each.chain === chain)
      ?.rules.map(({ text, rule }) => (rule === undefined ? text : renderRule(rule)))
  const clean = async (iptables: Iptables): Promise<void> => {
    for (const each of await iptables.read(place, owns)) {
      if (each.isOwned) continue
      const commands = each.rules.map(({ text }) => ({ kind: 'delete rule' as const, chain: each.chain, rule: text }))
      await iptables.restore(place, [{ table: each.table, commands }])
    }
    const found = (await iptables.read(place, owns)).filter(({ isOwned }) => isOwned)
    for (const table of ['nat', 'filter', 'mangle'] as const) {
      const commands = found.filter((each) => each.table === table).map(({ chain }) => ({ kind: 'delete chain' as const, chain }))
      await iptables.restore(place, [{ table, commands }])
    }
  }

  it('can be used here', async () => {
    expect(await open().choose(place.flavour)).toMatchObject({ flavour: place.flavour, without: {} })
    expect(await open().available()).toContain(place.flavour)
  })
  it('reads back every part of a rule as it was written', async () => {
    const iptables = open()
    await clean(iptables)
    const rules = everything(addresses[place.family])
    const set = (table: TableName): Command => ({ kind: 'set chain', chain: `FW-${table}`, rules: rules[table].map(renderRule) })
    await iptables.restore(place, [
      { table: 'nat', commands: [{ kind: 'add chain', chain: 'FW-EMPTY', rules: [] }, set('nat')] },
      { table: 'filter', commands: [set('filter')] },
      { table: 'mangle', commands: [set('mangle')] },
    ])
    for (const table of ['nat', 'filter', 'mangle'] as const) {
      const chain = (await iptables.read(place, owns)).find((each) => each.chain === `FW-${table}`)
      expect(chain?.rules.map(({ rule }) => rule)).toEqual(rules[table])
    }
    expect(await iptables.hasRules(place, 'mangle', 'FW-mangle')).toBe(true)
  })
  it('inserts at the head, appends at the end, deletes what it read', async () => {
    const iptables = open()
    await clean(iptables)
    const [one, range] = addresses[place.family]
    await iptables.restore(place, nat({ kind: 'add chain', chain: 'FW-A', rules: [returns(one)] }))
    await iptables.restore(
      place,
      nat(
        { kind: 'append rule', chain: 'FW-A', rule: renderRule({ comment: 'the last' }) },
        { kind: 'insert rule', chain: 'FW-A', rule: returns(range) },
      ),
    )
    expect(await contents(iptables, 'FW-A')).toEqual([returns(range), returns(one), '-m comment --comment "the last"'])
    for (const { text } of (await iptables.read(place, owns))[0]?.rules ?? []) {
      await iptables.restore(place, nat({ kind: 'delete rule', chain: 'FW-A', rule: text }))
    }
    expect(await contents(iptables, 'FW-A')).toEqual([])
    expect(await iptables.hasRules(place, 'nat', 'FW-A')).toBe(false)
  })
  it('replaces the rules of chains, removes chains that lead to each other, and leaves the rest', async () => {
    const iptables = open()
    await clean(iptables)
    const [one, range] = addresses[place.family]
    await iptables.restore(
      place,
      nat(
        { kind: 'add chain', chain: 'FW-B', rules: [] },
        { kind: 'add chain', chain: 'FW-A', rules: [to('FW-B')] },
        { kind: 'add chain', chain: 'FW-C', rules: [returns(one)] },
        { kind: 'insert rule', chain: 'PREROUTING', rule: to('FW-A') },
      ),
    )
    await iptables.restore(
      place,
      nat(
        { kind: 'delete chain', chain: 'FW-B' },
        { kind: 'delete chain', chain: 'FW-A' },
        { kind: 'delete rule', chain: 'PREROUTING', rule: to('FW-A') },
        { kind: 'set chain', chain: 'FW-C', rules: [returns(range)] },
      ),
    )
    expect((await iptables.read(place, owns)).map(({ chain }) => chain)).toEqual(['FW-C'])
    expect(await contents(iptables, 'FW-C')).toEqual([returns(range)])
  })
  it('changes nothing in a table of which a part is refused', async () => {
    const iptables = open()
    await clean(iptables)
    const [one] = addresses[place.family]
    await iptables.restore(place, nat({ kind: 'add chain', chain: 'FW-A', rules: [returns(one)] }))
    const refused = nat({ kind: 'set chain', chain: 'FW-A', rules: [] }, { kind: 'delete rule', chain: 'FW-A', rule: to('FW-A') })
    await expect(iptables.restore(place, refused)).rejects.toThrow(/line 3.*-D FW-A -j FW-A/)
    expect(await contents(iptables, 'FW-A')).toEqual([returns(one)])
  })
  it('takes more new chains than fit one input', async () => {
    const iptables = open()
    await clean(iptables)
    const chains = Array.from({ length: 1_050 }, (_, index) => ({ kind: 'add chain' as const, chain: `FW-${index}`, rules: [] }))
    const rules = chains.map(({ chain }) => to(chain))
    await iptables.restore(place, nat(...chains, { kind: 'set chain', chain: 'FW-ALL', rules }))
    expect(await contents(iptables, 'FW-ALL')).toHaveLength(1_050)
    await clean(iptables)
    expect(await iptables.read(place, owns)).toEqual([])
  })
  it('says of a chain that is not there that it holds no rules', async () => {
    expect(await open().hasRules(place, 'mangle', 'FW-NONE')).toBe(false)
  })
}

const PLACES = (['nft', 'legacy'] as const).flatMap((flavour) =>
  (['IPv4', 'IPv6'] as const).map((family) => ({ flavour, family })),
)

describe.each(PLACES)('the fake, $flavour $family', (place) => {
  const iptables = fakeIptables()
  behaves(() => iptables, place)
})

const namespace = `fipt${process.pid % 100_000}`
const canTry = await realExec(['iptables', '--version']).then(
  () => process.getuid?.() === 0,
  () => false,
)
// Without root or iptables there is no kernel to ask; the fake is held to the same cases above.
describe.skipIf(!canTry)('the kernel', () => {
  beforeAll(async () => void (await realExec(['ip', 'netns', 'add', namespace])))
  afterAll(async () => void (await realExec(['ip', 'netns', 'del', namespace])))
  const exec: typeof realExec = (argv, options) =>
    realExec(['ip', 'netns', 'exec', namespace, 'env', `XTABLES_LOCKFILE=/run/${namespace}.lock`, ...argv], options)
  afterAll(async () => void (await realExec(['rm', '-f', `/run/${namespace}.lock`])))
  describe.each(PLACES)('$flavour $family', (place) => behaves(() => createIptables(exec), place))
  it('prefers the flavour that is in use', async () => {
    const iptables = createIptables(exec)
    expect(await iptables.choose()).toMatchObject({ flavour: 'nft' })
    await realExec(['ip', 'netns', 'exec', namespace, 'iptables-legacy', '-t', 'mangle', '-N', 'KUBE-KUBELET-CANARY'])
    expect(await iptables.choose()).toMatchObject({ flavour: 'legacy', why: 'kubelet or a proxy uses it here' })
  })
})
