import { describe, expect, it } from 'vitest'
import { endpointSlice, service } from '../../api/testing/index.ts'
import { desiredStream, type StreamSources } from './desired.ts'
import { parseStreams } from './parse.ts'

const reserved = new Map([[80, 'the http port of the Ingress']])
const plain = { takesProxyHeader: false, sendsProxyHeader: false }

describe('an entry of a ConfigMap of streams', () => {
  it.each([
    ['default/web:8080', { service: 'default/web', servicePort: { number: 8080, protocol: 'TCP' }, ...plain }],
    ['default/web:http', { service: 'default/web', servicePort: { name: 'http' }, ...plain }],
    [' default/web:80 ', { service: 'default/web', servicePort: { number: 80, protocol: 'TCP' }, ...plain }],
    ['default/web:80:PROXY', { takesProxyHeader: true, sendsProxyHeader: false }],
    ['default/web:80::PROXY', { takesProxyHeader: false, sendsProxyHeader: true }],
    ['default/web:80:PROXY:PROXY', { takesProxyHeader: true, sendsProxyHeader: true }],
    ['default/web:80:', plain],
  ])('%s is read', (value, expected) => {
    const { services, problems } = parseStreams('TCP', { 9000: value }, reserved)
    expect(problems).toEqual([])
    expect(services).toEqual([expect.objectContaining({ protocol: 'TCP', port: 9000, ...expected })])
  })

  it.each([
    ['0', 'a/b:80', 'not a port number'],
    ['65536', 'a/b:80', 'not a port number'],
    ['09000', 'a/b:80', 'not a port number'],
    ['http', 'a/b:80', 'not a port number'],
    ['__proto__', 'a/b:80', 'not a port number'],
    ['80', 'a/b:80', 'the http port of the Ingress'],
    ['9000', '', 'namespace/service:port'],
    ['9000', 'web:80', 'namespace/service:port'],
    ['9000', 'a/b', 'namespace/service:port'],
    ['9000', 'a/b:', 'namespace/service:port'],
    ['9000', 'a/b:0', 'namespace/service:port'],
    ['9000', 'a/b:99999', 'namespace/service:port'],
    ['9000', 'a/b:80:proxy', 'namespace/service:port'],
    ['9000', 'a/b:80:PROXY:PROXY:PROXY', 'namespace/service:port'],
    ['9000', 'a/../b:80', 'namespace/service:port'],
    ['9000', 'A/b:80', 'namespace/service:port'],
  ])('%s: %s is refused, and harms no other', (key, value, message) => {
    const data = Object.fromEntries([
      ['9001', 'a/c:81'],
      [key, value],
    ])
    const { services, problems } = parseStreams('TCP', data, reserved)
    expect(services.map(({ port }) => port)).toEqual([9001])
    expect(problems).toEqual([{ reason: 'StreamInvalid', message: expect.stringContaining(message) }])
  })

  it('of UDP takes no PROXY, and may have the number of a TCP port of ours', () => {
    expect(parseStreams('UDP', { 53: 'a/b:53:PROXY' }, reserved).problems[0]?.message).toContain('TCP only')
    expect(parseStreams('UDP', { 80: 'a/b:53' }, reserved).services).toHaveLength(1)
  })
})

describe('the pods behind a stream', () => {
  const dns = service('dns').port(53, 'dns').build()
  const both = {
    ...dns,
    spec: {
      ...dns.spec,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' as const },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' as const },
      ],
    },
  }
  const slice = endpointSlice('dns').port(5_300, 'dns-tcp').endpoints('10.0.0.1').build()
  const udpSlice = { ...slice, ports: [{ name: 'dns', port: 5_353, protocol: 'UDP' as const }] }
  const sources: StreamSources = { service: (key) => (key === 'default/dns' ? both : undefined), slices: () => [slice, udpSlice] }
  const stream = (protocol: 'TCP' | 'UDP', value: string) => {
    const [found] = parseStreams(protocol, { 9000: value }, new Map()).services
    if (found === undefined) throw new Error('not read')
    return desiredStream(found, sources)
  }

  it.each([
    ['TCP', 'default/dns:53', [{ address: '10.0.0.1', port: 5_300 }]],
    ['UDP', 'default/dns:53', [{ address: '10.0.0.1', port: 5_353 }]],
    ['UDP', 'default/dns:dns', [{ address: '10.0.0.1', port: 5_353 }]],
  ] as const)('%s %s are those of the protocol', (protocol, value, endpoints) => {
    expect(stream(protocol, value)).toEqual({ port: expect.objectContaining({ protocol, endpoints }) })
  })

  it.each([
    ['TCP', 'default/gone:53', 'StreamServiceNotFound'],
    ['TCP', 'default/dns:99', 'StreamPortNotFound'],
    ['TCP', 'default/dns:dns', 'StreamPortNotFound'],
    ['UDP', 'default/dns:dns-tcp', 'StreamPortNotFound'],
  ] as const)('%s %s: %s, and the port is there and refuses', (protocol, value, reason) => {
    expect(stream(protocol, value)).toMatchObject({ port: { endpoints: [] }, problem: { reason } })
  })
})
