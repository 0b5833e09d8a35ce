import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { promisify } from 'node:util'
import { decode, encode, type Packet } from 'dns-packet'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realClock, silentLogger } from '../base/index.ts'
import { createChain } from './chain.ts'
import { createForwarder } from './forward.ts'
import { parseQuery } from './message.ts'
import { type ListeningDnsServer, listenDns } from './server.ts'
import { createZone } from './zone/zone.ts'

const run = promisify(execFile)
const hasDig = await run('dig', ['-v']).then(
  () => true,
  () => false,
)

const stop = new AbortController()
let cluster: ListeningDnsServer
let upstream: ListeningDnsServer

beforeAll(async () => {
  const beyond = createZone()
  beyond.replace('example', [{ name: 'www.example.com', type: 'A', address: '192.0.2.1' }])
  const closed = createForwarder({ upstreams: [], clock: realClock, log: silentLogger })
  const common = { ttl: 5, isReady: () => true }
  const beyondChain = createChain({ ...common, zone: beyond, domain: 'example.com', forwarder: closed })
  upstream = await listenDns({ address: '127.0.0.1', port: 0, resolve: beyondChain, log: silentLogger }, stop.signal)
  const zone = createZone()
  zone.replace('shop/web', [{ name: 'web.shop.svc.cluster.local', type: 'A', address: '10.96.0.7' }])
  zone.replace('shop/ext', [{ name: 'ext.shop.svc.cluster.local', type: 'CNAME', target: 'www.example.com' }])
  zone.replace('shop/loop', [{ name: 'loop.shop.svc.cluster.local', type: 'CNAME', target: 'loop.shop.svc.cluster.local' }])
  const many = Array.from({ length: 200 }, (_, i) => ({
    name: 'big.shop.svc.cluster.local',
    type: 'A' as const,
    address: `10.1.${i >> 8}.${i & 255}`,
  }))
  zone.replace('shop/big', many)
  const forwarder = createForwarder({
    upstreams: [{ address: '127.0.0.1', port: upstream.port }],
    clock: realClock,
    log: silentLogger,
  })
  const resolve = createChain({ ...common, zone, domain: 'cluster.local', forwarder })
  cluster = await listenDns({ address: '127.0.0.1', port: 0, resolve, log: silentLogger }, stop.signal)
})

afterAll(async () => {
  stop.abort()
  await Promise.all([cluster.stopped, upstream.stopped])
})

const dig = async (...args: readonly string[]): Promise<string> => {
  const { stdout } = await run('dig', ['@127.0.0.1', '-p', String(cluster.port), '+tries=1', '+time=3', ...args])
  return stdout
}

describe.skipIf(!hasDig)('dig (skipped where bind9-dnsutils is not installed)', () => {
  it('finds a Service whatever the case of the name', async () => {
    expect(await dig('+short', 'WEB.shop.svc.Cluster.Local')).toBe('10.96.0.7\n')
  })

  it('tells a missing Service from a missing type', async () => {
    expect(await dig('nosuch.shop.svc.cluster.local')).toContain('status: NXDOMAIN')
    const nodata = await dig('AAAA', 'web.shop.svc.cluster.local')
    expect(nodata).toContain('status: NOERROR')
    expect(nodata).toContain('ANSWER: 0')
    expect(nodata).toContain('SOA')
  })

  it('follows an ExternalName to its address upstream', async () => {
    expect(await dig('+short', 'ext.shop.svc.cluster.local')).toBe('www.example.com.\n192.0.2.1\n')
  })

  it('ends an alias that leads to itself', async () => {
    expect(await dig('loop.shop.svc.cluster.local')).toContain('status: NOERROR')
  })

  it('forwards other names, over TCP too', async () => {
    expect(await dig('+short', 'www.example.com')).toBe('192.0.2.1\n')
    expect(await dig('+short', '+tcp', 'www.example.com')).toBe('192.0.2.1\n')
  })

  it('cuts what does not fit a datagram, and dig comes back over TCP for all of it', async () => {
    expect(await dig('+ignore', 'big.shop.svc.cluster.local')).toMatch(/flags: [a-z ]*tc/)
    expect((await dig('+short', 'big.shop.svc.cluster.local')).trim().split('\n')).toHaveLength(200)
  })

  it('takes a query without EDNS', async () => {
    expect(await dig('+noedns', '+short', 'web.shop.svc.cluster.local')).toBe('10.96.0.7\n')
  })
})

describe('bytes from outside', () => {
  it('never throw in the parser', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(['query', 'malformed', 'ignore']).toContain(parseQuery(Buffer.from(bytes)).kind)
      }),
      { numRuns: 2000 },
    )
  })

  it('with a mangled query never throw either', () => {
    const valid = encode({ type: 'query', id: 7, questions: [{ type: 'A', name: 'web.shop.svc.cluster.local' }] })
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length), (at, value, length) => {
        const mangled = Buffer.from(valid)
        mangled[at] = value
        expect(['query', 'malformed', 'ignore']).toContain(parseQuery(mangled.subarray(0, length)).kind)
      }),
      { numRuns: 2000 },
    )
  })

  it('do not stop the server', async () => {
    const socket = createSocket('udp4')
    const garbage = [
      Buffer.alloc(0),
      Buffer.alloc(11),
      Buffer.alloc(12),
      Buffer.alloc(512, 0xff),
      Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c]),
    ]
    for (const bytes of garbage) await new Promise((resolve) => socket.send(bytes, cluster.port, '127.0.0.1', resolve))
    const answered = new Promise<Packet>((resolve) => {
      socket.on('message', (bytes) => {
        const packet = decode(bytes)
        if (packet.id === 4242) resolve(packet)
      })
    })
    socket.send(
      encode({ type: 'query', id: 4242, questions: [{ type: 'A', name: 'web.shop.svc.cluster.local' }] }),
      cluster.port,
      '127.0.0.1',
    )
    expect((await answered).answers).toMatchObject([{ data: '10.96.0.7' }])
    socket.close()
  })

  it('that are answers get no reply', () => {
    expect(parseQuery(encode({ type: 'response', id: 1, questions: [{ type: 'A', name: 'a.b' }] })).kind).toBe('ignore')
  })
})

describe('before Services are known', () => {
  const asked: string[] = []
  const resolve = createChain({
    zone: createZone(),
    domain: 'cluster.local',
    ttl: 5,
    isReady: () => false,
    forwarder: {
      resolve: async ({ name }) => {
        asked.push(name)
        return { rcode: 'NOERROR', authoritative: false, answers: [], authorities: [], additionals: [] }
      },
    },
  })

  it.each(['web.shop.svc.cluster.local', 'cluster.local', '1.0.96.10.in-addr.arpa'])(
    '%s fails, and is not absent',
    async (name) => {
      expect((await resolve({ name, type: 'A' })).rcode).toBe('SERVFAIL')
      expect(asked).not.toContain(name)
    },
  )

  it.each(['www.example.com', 'notcluster.local'])('%s is asked upstream', async (name) => {
    expect((await resolve({ name, type: 'A' })).rcode).toBe('NOERROR')
    expect(asked).toContain(name)
  })
})

it('names the taken port', async () => {
  const resolve = createChain({
    zone: createZone(),
    domain: 'cluster.local',
    ttl: 5,
    isReady: () => true,
    forwarder: createForwarder({ upstreams: [], clock: realClock, log: silentLogger }),
  })
  const again = listenDns({ address: '127.0.0.1', port: cluster.port, resolve, log: silentLogger }, stop.signal)
  await expect(again).rejects.toThrow(`port ${cluster.port} on 127.0.0.1 is in use`)
})
