import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Endpoint, EndpointSlice } from '../api/index.ts'
import { isChosen, portEndpoints, usableEndpoints } from './index.ts'
import { draining, dying, endpoint, ready, slice, unready } from './testing/index.ts'

const http = { name: '', protocol: 'TCP' } as const
const judge = (endpoints: readonly Endpoint[], node = { name: 'n1', zone: 'a' }) =>
  usableEndpoints(portEndpoints([slice('web', endpoints)], 'IPv4', http).endpoints, node)

const summary = (endpoints: readonly Endpoint[], node = { name: 'n1', zone: 'a' }) =>
  judge(endpoints, node).judged.map(({ address, cluster, local }) => [address.split('.')[3], cluster, local])

const here = { nodeName: 'n1' }
const there = { nodeName: 'n2' }
const forNode = (...names: readonly string[]) => ({ hints: { forNodes: names.map((name) => ({ name })) } })
const forZone = (...names: readonly string[]) => ({ hints: { forZones: names.map((name) => ({ name })) } })
const at = (last: number, rest: Omit<Partial<Endpoint>, 'addresses'> = {}) => endpoint(`10.1.1.${last}`, rest)

describe('usable endpoints', () => {
  it.each([
    ['a missing ready is true', [at(1)], [['1', 'Ready', 'OnOtherNode']]],
    ['ready here', [at(1, { ...here, ...ready })], [['1', 'Ready', 'Ready']]],
    ['not ready', [at(1, { ...here, ...unready })], [['1', 'NotReady', 'NotReady']]],
    [
      'a missing serving is ready',
      [at(1, { ...here, conditions: { ready: false, terminating: true } })],
      [['1', 'NotReady', 'NotReady']],
    ],
    [
      'terminating ones are left aside while one is ready',
      [at(1, { ...here, ...ready }), at(2, { ...here, ...draining })],
      [
        ['1', 'Ready', 'Ready'],
        ['2', 'Terminating', 'Terminating'],
      ],
    ],
    [
      'serving and terminating ones are the fallback',
      [at(1, { ...here, ...draining }), at(2, { ...here, ...dying }), at(3, { ...here, ...unready })],
      [
        ['1', 'ServingWhileTerminating', 'ServingWhileTerminating'],
        ['2', 'NotReady', 'NotReady'],
        ['3', 'NotReady', 'NotReady'],
      ],
    ],
    [
      'the local fallback does not depend on ready ones elsewhere',
      [at(1, { ...here, ...draining }), at(2, { ...there, ...ready })],
      [
        ['1', 'Terminating', 'ServingWhileTerminating'],
        ['2', 'Ready', 'OnOtherNode'],
      ],
    ],
  ] as const)('%s', (_title, endpoints, expected) => {
    expect(summary(endpoints)).toEqual(expected)
  })
})

describe('topology hints', () => {
  it.each([
    ['node hints narrow', [at(1, forNode('n1')), at(2, forNode('n2'))], 'node', ['HintedForThisNode', 'HintedForOtherNode']],
    [
      'node hints go before zone hints',
      [at(1, { hints: { forNodes: [{ name: 'n1' }], forZones: [{ name: 'b' }] } })],
      'node',
      ['HintedForThisNode'],
    ],
    ['one ready endpoint without a node hint ends that filter', [at(1, forNode('n1')), at(2)], 'none', ['Ready', 'Ready']],
    ['node hints for others only end that filter', [at(1, forNode('n2')), at(2, forNode('n3'))], 'none', ['Ready', 'Ready']],
    ['zone hints narrow', [at(1, forZone('a', 'b')), at(2, forZone('b'))], 'zone', ['HintedForThisZone', 'HintedForOtherZone']],
    ['one ready endpoint without a zone hint ends that filter', [at(1, forZone('a')), at(2)], 'none', ['Ready', 'Ready']],
    ['zone hints for others only end that filter', [at(1, forZone('b')), at(2, forZone('c'))], 'none', ['Ready', 'Ready']],
    [
      'endpoints that are not ready need no hint',
      [at(1, forZone('a')), at(2, unready)],
      'zone',
      ['HintedForThisZone', 'NotReady'],
    ],
    ['the terminating fallback ignores hints', [at(1, { ...draining, ...forZone('b') })], 'none', ['ServingWhileTerminating']],
  ] as const)('%s', (_title, endpoints, hints, expected) => {
    const result = judge(endpoints)
    expect(result.hints).toBe(hints)
    expect(result.judged.map(({ cluster }) => cluster)).toEqual(expected)
  })

  it('zone hints mean nothing on a node without a zone', () => {
    expect(judge([at(1, forZone('a'))], { name: 'n1', zone: '' }).hints).toBe('none')
  })

  it('never narrow the local set', () => {
    expect(summary([at(1, { ...here, ...forZone('b') }), at(2, { ...there, ...forZone('a') })])).toEqual([
      ['1', 'HintedForOtherZone', 'Ready'],
      ['2', 'HintedForThisZone', 'OnOtherNode'],
    ])
  })
})

describe('endpoints of a port over slices', () => {
  const addresses = (slices: readonly EndpointSlice[], wanted: Parameters<typeof portEndpoints>[2] = http) =>
    portEndpoints(slices, 'IPv4', wanted).endpoints.map(({ address, port }) => `${address}:${port}`)
  const named = (name: string, endpoints: readonly Endpoint[], rest: Partial<EndpointSlice> = {}) =>
    slice('web', endpoints, { ...rest, metadata: { name, labels: {} } })

  it('takes the number of each slice for a named port', () => {
    const slices = [named('s1', [at(1)]), named('s2', [at(2)], { ports: [{ name: '', port: 9090, protocol: 'TCP' }] })]
    expect(addresses(slices)).toEqual(['10.1.1.1:8080', '10.1.1.2:9090'])
  })

  it('matches ports by name and protocol', () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP' as const },
      { name: 'dns', port: 54, protocol: 'TCP' as const },
      { name: 'web', port: 80 },
    ]
    const slices = [named('s1', [at(1)], { ports })]
    expect(addresses(slices, { name: 'dns', protocol: 'UDP' })).toEqual(['10.1.1.1:53'])
    expect(addresses(slices, { name: 'dns', protocol: 'TCP' })).toEqual(['10.1.1.1:54'])
    expect(addresses(slices, { name: 'web', protocol: 'TCP' })).toEqual(['10.1.1.1:80'])
    expect(addresses(slices, { name: '__proto__', protocol: 'TCP' })).toEqual([])
  })

  it('counts an endpoint of several slices once, the readiest', () => {
    const slices = [named('s1', [at(1, unready)]), named('s2', [at(1, ready)]), named('s3', [at(1, draining)])]
    const { endpoints } = portEndpoints(slices, 'IPv4', http)
    expect(endpoints).toHaveLength(1)
    expect(endpoints[0]).toMatchObject({ slice: 's2', conditions: { ready: true } })
  })

  it('keeps one address with two port numbers as two endpoints', () => {
    const slices = [named('s1', [at(1)]), named('s2', [at(1)], { ports: [{ name: '', port: 9090 }] })]
    expect(addresses(slices)).toEqual(['10.1.1.1:8080', '10.1.1.1:9090'])
  })

  it.each([
    ['other families', { addressType: 'IPv6' as const }],
    ['FQDN slices', { addressType: 'FQDN' as const }],
  ])('leaves %s aside', (_title, rest) => {
    expect(portEndpoints([named('s1', [at(1)], rest)], 'IPv4', http)).toEqual({ endpoints: [], ignored: [] })
  })

  it.each([
    ['an address that is none', endpoint('example.com'), 'InvalidAddress'],
    ['an address of another family', endpoint('2001:db8::1'), 'WrongFamily'],
    ['an unspecified address', endpoint('0.0.0.0'), 'ForbiddenAddress'],
    ['no address', { addresses: [] }, 'NoAddress'],
  ] as const)('ignores %s and says so', (_title, wrong, reason) => {
    const { endpoints, ignored } = portEndpoints([named('s1', [wrong, at(2)])], 'IPv4', http)
    expect(endpoints.map(({ address }) => address)).toEqual(['10.1.1.2'])
    expect(ignored).toEqual([{ slice: 's1', address: wrong.addresses[0] ?? '', reason }])
  })

  it('reads leading zeros as decimal and mapped addresses as IPv4', () => {
    expect(addresses([named('s1', [endpoint('010.001.001.008'), endpoint('::ffff:10.1.1.9')])])).toEqual([
      '10.1.1.8:8080',
      '10.1.1.9:8080',
    ])
  })

  it.each([undefined, 0, 65_536])('ignores a slice whose port has the number %s', (number) => {
    const slices = [named('s1', [at(1)], { ports: [number === undefined ? { name: '' } : { name: '', port: number }] })]
    expect(portEndpoints(slices, 'IPv4', http)).toEqual({
      endpoints: [],
      ignored: [{ slice: 's1', address: '', reason: 'NoPortNumber' }],
    })
  })

  it('cuts hostile text in its reasons', () => {
    const { ignored } = portEndpoints([named('s1', [endpoint('x'.repeat(1_000_000))])], 'IPv4', http)
    expect(ignored[0]?.address.length).toBeLessThan(100)
  })
})

describe('properties', () => {
  const condition = fc.option(fc.boolean(), { nil: undefined })
  const name = fc.constantFrom('n1', 'n2', 'n3')
  const zone = fc.constantFrom('a', 'b')
  const anyEndpoint = fc.record({
    addresses: fc.tuple(fc.constantFrom('10.1.1.1', '10.1.1.2', '10.1.1.3', '10.1.1.4')),
    conditions: fc.record({ ready: condition, serving: condition, terminating: condition }),
    nodeName: name,
    hints: fc.record({
      forNodes: fc.array(fc.record({ name }), { maxLength: 2 }),
      forZones: fc.array(fc.record({ name: zone }), { maxLength: 2 }),
    }),
  })
  const anySlices = fc.array(
    fc.record({ endpoints: fc.array(anyEndpoint, { maxLength: 5 }), port: fc.constantFrom(8080, 9090) }),
    { maxLength: 4 },
  )
  const build = (each: { readonly endpoints: readonly unknown[]; readonly port: number }, index: number): EndpointSlice =>
    slice('web', each.endpoints as readonly Endpoint[], {
      metadata: { name: `web-${index}` },
      ports: [{ name: '', port: each.port, protocol: 'TCP' }],
    })
  const meaning = (slices: readonly EndpointSlice[]) => {
    const { endpoints } = portEndpoints(slices, 'IPv4', http)
    return usableEndpoints(endpoints, { name: 'n1', zone: 'a' })
  }

  it('the order of slices and endpoints does not matter', () => {
    fc.assert(
      fc.property(anySlices, fc.infiniteStream(fc.nat()), (drafts, numbers) => {
        const slices = drafts.map(build)
        const keyed = <T>(items: readonly T[]): T[] =>
          items
            .map((item) => ({ item, key: numbers.next().value ?? 0 }))
            .sort((a, b) => a.key - b.key)
            .map(({ item }) => item)
        const shuffled = keyed(slices.map((each) => ({ ...each, endpoints: keyed(each.endpoints ?? []) })))
        expect(meaning(shuffled)).toEqual(meaning(slices))
      }),
    )
  })

  it('a duplicated slice changes nothing but which slice is named', () => {
    fc.assert(
      fc.property(anySlices, (drafts) => {
        const strip = (slices: readonly EndpointSlice[]) => meaning(slices).judged.map(({ slice: _slice, ...rest }) => rest)
        const slices = drafts.map(build)
        expect(strip([...slices, ...drafts.map((draft, index) => build(draft, index + 100))])).toEqual(strip(slices))
      }),
    )
  })

  it('no endpoint is there twice, and the sets follow the rules', () => {
    fc.assert(
      fc.property(anySlices, (drafts) => {
        const { judged } = meaning(drafts.map(build))
        const ids = judged.map(({ address, port }) => `${address} ${port}`)
        expect(new Set(ids).size).toBe(ids.length)
        for (const set of ['cluster', 'local'] as const) {
          const eligible = set === 'cluster' ? judged : judged.filter(({ isLocal }) => isLocal)
          const chosen = judged.filter((each) => isChosen(each[set]))
          const readyOnes = eligible.filter(({ conditions }) => conditions.ready)
          const fallback = eligible.filter(({ conditions }) => conditions.serving && conditions.terminating)
          if (readyOnes.length > 0) {
            expect(chosen.length).toBeGreaterThan(0)
            expect(chosen.every(({ conditions }) => conditions.ready)).toBe(true)
          } else expect(chosen).toEqual(fallback)
          if (set === 'local') expect(chosen.every(({ isLocal }) => isLocal)).toBe(true)
        }
      }),
    )
  })
})
