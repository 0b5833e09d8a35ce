import { describe, expect, it } from 'vitest'
import { resolveServicePort, serviceOfSlice, sliceIndexes, sourceClassifier } from './index.ts'
import { draining, endpoint, node, port, ready, service, slice, unready } from './testing/index.ts'

const ports = [
  port(80, { name: 'http', targetPort: 'web' }),
  port(53, { name: 'dns', protocol: 'UDP' }),
  port(53, { name: 'dns-tcp' }),
]
const web = service('web', { ports })
const http = [{ name: 'http', port: 8080, protocol: 'TCP' as const }]

describe('a Service port for those who talk to pods', () => {
  it('gives ready endpoints with where they are and which pod they are', () => {
    const targetRef = { kind: 'Pod', name: 'web-0', uid: 'u1' }
    const slices = [
      slice('web', [endpoint('10.1.1.1', { nodeName: 'n1', zone: 'a', targetRef, hostname: 'web-0' })], { ports: http }),
    ]
    expect(resolveServicePort(web, slices, { name: 'http' })).toMatchObject({
      kind: 'resolved',
      port: { port: 80 },
      ready: [
        {
          address: '10.1.1.1',
          port: 8080,
          nodeName: 'n1',
          zone: 'a',
          hostname: 'web-0',
          pod: { namespace: 'default', name: 'web-0', uid: 'u1' },
          conditions: { ready: true, serving: true, terminating: false },
        },
      ],
    })
  })

  it('tells ready from draining and from neither', () => {
    const endpoints = [endpoint('10.1.1.1', ready), endpoint('10.1.1.2', draining), endpoint('10.1.1.3', unready)]
    const result = resolveServicePort(web, [slice('web', endpoints, { ports: http })], { number: 80 })
    if (result.kind !== 'resolved') throw new Error(result.reason)
    expect(result.ready.map(({ address }) => address)).toEqual(['10.1.1.1'])
    expect(result.draining.map(({ address }) => address)).toEqual(['10.1.1.2'])
  })

  it.each([
    ['by name', { name: 'dns' }, 'UDP'],
    ['by number, TCP first', { number: 53 }, 'TCP'],
    ['by number and protocol', { number: 53, protocol: 'UDP' }, 'UDP'],
  ] as const)('finds the port %s', (_title, reference, protocol) => {
    const result = resolveServicePort(web, [], reference)
    expect(result).toMatchObject({ kind: 'resolved', port: { protocol } })
  })

  it('works for headless Services and for families that the Service does not list', () => {
    const headless = service('web', { clusterIP: 'None', clusterIPs: ['None'], ports, ipFamilies: ['IPv6', 'IPv4'] })
    const slices = [
      slice('web', [endpoint('10.1.1.1')], { ports: http }),
      slice('web', [endpoint('fd00::1')], { ports: http, addressType: 'IPv6', metadata: { name: 'six' } }),
    ]
    const result = resolveServicePort(headless, slices, { number: 80 })
    if (result.kind !== 'resolved') throw new Error(result.reason)
    expect(result.ready.map(({ address }) => address)).toEqual(['fd00::1', '10.1.1.1'])
  })

  it.each([
    ['an unknown name', web, { name: 'https' }, 'NoSuchPort'],
    ['an unknown number', web, { number: 81 }, 'NoSuchPort'],
    ['ExternalName', service('web', { type: 'ExternalName', externalName: 'example.com' }), { number: 80 }, 'ExternalName'],
  ])('refuses %s', (_title, object, reference, reason) => {
    expect(resolveServicePort(object, [], reference)).toEqual({ kind: 'refused', reason })
  })
})

describe('the index of slices', () => {
  it('finds slices by the Service that they name', () => {
    expect(serviceOfSlice(slice('web', []))).toBe('default/web')
    expect(sliceIndexes.service(slice('web', [], { metadata: { name: 'x', labels: {} } }))).toEqual([])
  })
})

describe('source classes', () => {
  const classOf = sourceClassifier(node())
  it.each([
    ['a pod', '10.1.1.200', undefined, 'pod'],
    ['the node', '192.0.2.1', undefined, 'node'],
    ['loopback', '127.9.9.9', undefined, 'node'],
    ['the very address that was reached', '10.96.0.10', '10.96.0.10', 'node'],
    ['a mapped pod', '::ffff:10.1.1.200', undefined, 'pod'],
    ['elsewhere', '198.51.100.1', '10.96.0.10', 'outside'],
    ['nonsense', 'nonsense', undefined, 'outside'],
  ])('%s', (_title, source, reached, expected) => {
    expect(classOf(source, reached)).toBe(expected)
  })
})
