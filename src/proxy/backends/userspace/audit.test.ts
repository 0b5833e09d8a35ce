import { readdir, readFile, readlink } from 'node:fs/promises'
import { endianness } from 'node:os'
import { afterEach, describe, expect, it } from 'vitest'
import { type Libc, loadLibc } from '../../../host/native/index.ts'
import { type Forwarding, type NodeView, serviceForwarding } from '../../../model/index.ts'
import { endpoint, port, service, slice } from '../../../model/testing/index.ts'
import type { FrontendStatus } from '../../backend.ts'
import { loopbackWorld } from '../../testing/index.ts'
import { createUserspaceBackend, type UserspaceBackendOptions } from './index.ts'
import { parseListening } from './kernel-sockets.ts'

const HOST = '127.68.0.1'
const POD = { address: '127.68.1.1', port: 18_082 }
const node: NodeView = { name: 'n1', addresses: [HOST], podCIDRs: [], nodePortAddresses: [HOST] }
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const web = (protocol: 'TCP' | 'UDP', number: number): Forwarding => {
  const ports = [{ name: '', port: POD.port, protocol }]
  const meaning = serviceForwarding(
    {
      service: service('web', { clusterIP: HOST, clusterIPs: [HOST], ports: [port(number, { protocol })] }),
      slices: [slice('web', [endpoint(POD.address)], { ports })],
      node,
    },
    'IPv4',
  )
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

const carrying = async (forwardings: readonly Forwarding[], options: Partial<UserspaceBackendOptions> = {}) => {
  const backend = createUserspaceBackend({ serviceCIDRs: [], drainMs: 0, ...options })
  const stop = new AbortController()
  const told: FrontendStatus[] = []
  const { stopped } = await backend.start(stop.signal, (status) => void told.push(status))
  cleanups.push(async () => {
    stop.abort()
    await stopped
  })
  await backend.sync({ full: true, set: forwardings, delete: [], node })
  return { backend, told }
}

/** A machine's local routes. */
const routeTable = () => {
  const routes = new Set<string>()
  return {
    routes,
    addresses: {
      ensure: async (cidr: string) => void routes.add(cidr),
      release: async (cidr: string) => void routes.delete(cidr),
      // As `ip route` prints them.
      observe: async () => [...routes].map((cidr) => cidr.replace('/32', '')),
    },
  }
}

describe('audit', () => {
  it('finds nothing where all is well', async () => {
    const { addresses } = routeTable()
    const { backend } = await carrying([web('TCP', 24_101)], { serviceCIDRs: ['10.96.0.0/16'], localAddresses: addresses })
    expect(await backend.audit()).toEqual([])
  })

  it('adds a local route that somebody removed', async () => {
    const { addresses, routes } = routeTable()
    const { backend } = await carrying([], { serviceCIDRs: ['10.96.0.0/16', '10.97.0.1/32'], localAddresses: addresses })
    routes.delete('10.96.0.0/16')
    expect(await backend.audit()).toEqual([{ kind: 'missing', what: 'local route 10.96.0.0/16 dev lo' }])
    expect(routes).toContain('10.96.0.0/16')
    expect(await backend.audit()).toEqual([])
  })

  it('looks for no routes where nobody can list them', async () => {
    const { backend } = await carrying([], {
      serviceCIDRs: ['10.96.0.0/16'],
      localAddresses: { ensure: async () => {}, release: async () => {} },
    })
    expect(await backend.audit()).toEqual([])
  })
})

const libc = await loadLibc()

// Without koffi a test cannot take a socket away from its own process.
describe.skipIf('missing' in libc)('audit, after a socket was taken away', () => {
  it('opens the socket again', async () => {
    if ('missing' in libc) return
    const world = loopbackWorld()
    await world.addPod(POD)
    cleanups.push(world.close)
    const { backend } = await carrying([web('TCP', 24_102)])
    await stopListening(libc, 24_102)
    expect(await backend.audit()).toEqual([{ kind: 'missing', what: `TCP socket on ${HOST}:24102`, key: 'IPv4 default/web' }])
    const packet = {
      source: { class: 'node', address: '127.0.0.1' },
      destination: { address: HOST, port: 24_102 },
      protocol: 'TCP',
    } as const
    expect(await world.send(packet)).toMatchObject({ kind: 'reached' })
    expect(await backend.audit()).toEqual([])
  })
})

/** What `ss --kill` does from outside: a listening socket that is shut down listens no more. */
const stopListening = async (lib: Libc, number: number): Promise<void> => {
  const line = (await readFile('/proc/self/net/tcp', 'utf8'))
    .split('\n')
    .map((text) => text.trim().split(/\s+/))
    .find((fields) => fields[1]?.endsWith(`:${number.toString(16).toUpperCase()}`) && fields[3] === '0A')
  const inode = line?.[9]
  for (const fd of await readdir('/proc/self/fd')) {
    const target = await readlink(`/proc/self/fd/${fd}`).catch(() => '')
    if (target === `socket:[${inode}]`) return void lib.declare('int shutdown(int fd, int how)').call(Number(fd), 2)
  }
  throw new Error(`nobody listens on port ${number}`)
}

describe.skipIf(endianness() !== 'LE')('the listing of sockets in proc(5), of a little-endian machine', () => {
  const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
  it.each([
    ['TCP', '   0: 0100447F:5E25 00000000:0000 0A 00000000:00000000', ['TCP 127.68.0.1 24101']],
    ['TCP', '   0: 0100447F:5E25 0100007F:9C40 01 00000000:00000000', []],
    ['UDP', '  12: 0100447F:0035 00000000:0000 07 00000000:00000000', ['UDP 127.68.0.1 53']],
    ['TCP', '   1: 000000FD000000000000000001000000:0050 00000000000000000000000000000000:0000 0A', ['TCP fd00::1 80']],
    ['TCP', '   x: garbage', []],
  ] as const)('%s %s', (protocol, line, expected) => {
    expect(parseListening(`${head}${line}\n`, protocol)).toEqual(expected)
  })
})

describe('trace', () => {
  const packet = (number: number, protocol: 'TCP' | 'UDP' = 'TCP') =>
    ({ source: { class: 'node', address: '127.0.0.1' }, destination: { address: HOST, port: number }, protocol }) as const

  it.each([
    [
      'the socket and the endpoint whose turn it is',
      24_103,
      [`LISTEN TCP ${HOST}:24103`, `next of 1 in the cluster set: ${POD.address}:${POD.port}`],
    ],
    [
      'that nobody listens on an undefined port',
      24_104,
      [`no socket for TCP ${HOST}:24104: the kernel refuses, or gives it to whoever listens on every address`],
    ],
  ])('tells of %s', async (_title, number, lines) => {
    const { backend } = await carrying([web('TCP', 24_103)])
    expect(backend.trace(packet(number))).toEqual(lines)
  })

  it('tells of the local route that brings the packet here', async () => {
    const { addresses } = routeTable()
    const { backend } = await carrying([web('TCP', 24_105)], { serviceCIDRs: ['127.68.0.0/16'], localAddresses: addresses })
    expect(backend.trace(packet(24_105))[0]).toBe('local 127.68.0.0/16 dev lo')
  })

  it('says nothing of an address of nobody', async () => {
    const { backend } = await carrying([web('TCP', 24_106)])
    expect(backend.trace({ ...packet(24_106), destination: { address: '127.68.9.9', port: 80 } })).toEqual([])
  })
})
