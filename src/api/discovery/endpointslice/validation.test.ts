import { describe, expect, it } from 'vitest'
import { endpointsKind } from '../../core/endpoints/kind.ts'
import { decoded, problemsOf } from '../../testing/index.ts'
import { endpointSliceKind } from './kind.ts'

type Raw = Readonly<Record<string, unknown>>
const slice = (more: Raw) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'default' },
  addressType: 'IPv4',
  ...more,
})
const at = (...addresses: string[]) => ({ addresses })
const many = (count: number): Raw[] =>
  Array.from({ length: count }, (_, index) => at(`10.1.${Math.floor(index / 250)}.${(index % 250) + 1}`))

describe('an EndpointSlice', () => {
  it.each<[string, Raw, string[]]>([
    ['may be empty', {}, []],
    ['may have a thousand endpoints', { endpoints: many(1000) }, []],
    ['may not have more', { endpoints: many(1001) }, ['endpoints: TooMany must have at most 1000 items']],
    [
      'may not have more than 20,000 ports',
      { ports: Array.from({ length: 20_001 }, (_, index) => ({ name: `p${index}`, port: 1 })) },
      ['ports: TooMany must have at most 20000 items'],
    ],
    ['has an address type', { addressType: '' }, ['addressType: Required']],
    ['has a known address type', { addressType: 'IP' }, ['addressType: NotSupported supported values: "FQDN", "IPv4", "IPv6"']],
    ['has endpoints with addresses', { endpoints: [at()] }, ['endpoints[0].addresses: Required must contain at least 1 address']],
    [
      'has no more than a hundred addresses in each',
      { endpoints: [at(...Array.from({ length: 101 }, (_, index) => `10.0.0.${index + 1}`))] },
      ['endpoints[0].addresses: TooMany must have at most 100 items'],
    ],
    [
      'has addresses of its family',
      { endpoints: [at('2001:db8::1'), at('10.0.0.1')] },
      ['endpoints[0].addresses[0]: Invalid must be a valid IPv4 address'],
    ],
    [
      'has IPv6 addresses where it says so',
      { addressType: 'IPv6', endpoints: [at('10.0.0.1')] },
      ['endpoints[0].addresses[0]: Invalid must be a valid IPv6 address'],
    ],
    [
      'has addresses that others can reach',
      { endpoints: [at('169.254.1.1'), at('010.0.0.1'), at('x'), at('127.0.0.1')] },
      [
        'endpoints[0].addresses[0]: Invalid may not be in the link-local range (169.254.0.0/16, fe80::/10)',
        'endpoints[1].addresses[0]: Invalid must not have leading 0s',
        'endpoints[2].addresses[0]: Invalid must be a valid IP address,',
      ],
    ],
    [
      'has names where it says so',
      { addressType: 'FQDN', endpoints: [at('a.b'), at('a')] },
      ['endpoints[1].addresses[0]: Invalid should be a domain with at least two segments separated by dots'],
    ],
    [
      'has host names that are labels',
      { endpoints: [{ ...at('10.0.0.1'), hostname: 'a.b' }] },
      ['endpoints[0].hostname: Invalid must not contain dots'],
    ],
    [
      'has no more than eight hints of a sort, each once',
      {
        endpoints: [
          { ...at('10.0.0.1'), hints: { forZones: Array(9).fill({ name: 'a' }), forNodes: [{ name: 'n' }, { name: 'n' }] } },
        ],
      },
      ['endpoints[0].hints.forZones: TooMany must have at most 8 items', 'endpoints[0].hints.forNodes[1]: Duplicate'],
    ],
    [
      'has its zone in the field',
      { endpoints: [{ ...at('10.0.0.1'), deprecatedTopology: { 'topology.kubernetes.io/zone': 'a' } }] },
      ['endpoints[0].deprecatedTopology[topology.kubernetes.io/zone]: Invalid reserved and cannot be set in v1; use zone'],
    ],
    [
      'has ports with names of their own',
      { ports: [{ port: 1 }, { port: 2 }, { name: 'a', port: 3, protocol: 'X' }] },
      ['ports[1].name: Duplicate', 'ports[2].protocol: NotSupported supported values: "SCTP", "TCP", "UDP"'],
    ],
    [
      'has ports in range, or all of them',
      { ports: [{ name: 'a', port: 70000 }, { name: 'b' }] },
      ['ports[0].port: Invalid must be between 1 and 65535, inclusive'],
    ],
  ])('%s', (_, more, expected) => {
    expect(problemsOf(endpointSliceKind, slice(more))).toEqual(expected)
  })

  it('keeps its address type', () => {
    expect(problemsOf(endpointSliceKind, slice({ addressType: 'IPv6' }), slice({}))).toEqual([
      'addressType: Invalid field is immutable',
    ])
  })

  it('keeps an address from before strict spelling, and its endpoint may change', () => {
    const old = slice({ endpoints: [at('010.0.0.1')] })
    expect(problemsOf(endpointSliceKind, slice({ endpoints: [at('010.0.0.1'), at('10.0.0.2')] }), old)).toEqual([])
    expect(problemsOf(endpointSliceKind, slice({ endpoints: [{ ...at('010.0.0.1'), nodeName: 'n1' }] }), old)).toEqual([])
  })

  it('names ports and protocols by default', () => {
    expect(decoded(endpointSliceKind, slice({ ports: [{ port: 80 }] })).ports).toEqual([{ name: '', protocol: 'TCP', port: 80 }])
  })
})

describe('Endpoints', () => {
  const endpoints = (...subsets: object[]) => ({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'web', namespace: 'default' },
    subsets,
  })

  it.each<[string, object, string[]]>([
    ['has addresses', { ports: [{ port: 80 }] }, ['subsets[0]: Required must specify `addresses` or `notReadyAddresses`']],
    [
      'has reachable addresses',
      { addresses: [{ ip: '0.0.0.0' }, { ip: '127.0.0.1' }], notReadyAddresses: [{ ip: 'x' }] },
      [
        'subsets[0].addresses[0].ip: Invalid may not be unspecified (0.0.0.0)',
        'subsets[0].notReadyAddresses[0].ip: Invalid must be a valid IP address,',
      ],
    ],
    [
      'has names for several ports',
      { addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }, { port: 0, name: 'a' }] },
      ['subsets[0].ports[0].name: Required', 'subsets[0].ports[1].port: Invalid must be between 1 and 65535, inclusive'],
    ],
    ['is fine', { addresses: [{ ip: '10.0.0.1', hostname: 'a', nodeName: 'n1' }], ports: [{ port: 80 }] }, []],
  ])('subset %s', (_, subset, expected) => {
    expect(problemsOf(endpointsKind, endpoints(subset))).toEqual(expected)
  })

  it('are warned of', () => {
    expect(endpointsKind.warnings?.(decoded(endpointsKind, endpoints()))).toEqual([
      'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
    ])
  })
})
