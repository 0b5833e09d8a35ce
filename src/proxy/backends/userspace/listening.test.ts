import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { realClock } from '../../../base/index.ts'
import { pausedClock } from '../../../base/testing/paused-clock.ts'
import { type Forwarding, type NodeView, serviceForwarding } from '../../../model/index.ts'
import { endpoint, port, service, slice } from '../../../model/testing/index.ts'
import type { Backend, FrontendStatus } from '../../backend.ts'
import { loopbackWorld } from '../../testing/index.ts'
import { createUserspaceBackend, type UserspaceBackendOptions } from './index.ts'

const HOST = '127.69.0.1'
const POD = { address: '127.69.1.1', port: 18_081 }
const node: NodeView = { name: 'n1', addresses: [HOST], podCIDRs: [], nodePortAddresses: [HOST] }
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const web = (
  number: number,
  rest: { readonly name?: string; readonly clusterIP?: string; readonly pods?: readonly string[] } = {},
): Forwarding => {
  const { name = 'web', clusterIP = HOST, pods = [POD.address] } = rest
  const meaning = serviceForwarding(
    {
      service: service(name, { clusterIP, clusterIPs: [clusterIP], ports: [port(number)] }),
      slices: [
        slice(
          name,
          pods.map((address) => endpoint(address)),
          { ports: [{ name: '', port: POD.port, protocol: 'TCP' }] },
        ),
      ],
      node,
    },
    'IPv4',
  )
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

const started = async (options: Partial<UserspaceBackendOptions> = {}) => {
  const backend = createUserspaceBackend({ serviceCIDRs: [], drainMs: 0, ...options })
  const stop = new AbortController()
  const told: FrontendStatus[] = []
  let heard: (status: FrontendStatus) => void = () => {}
  const { stopped } = await backend.start(stop.signal, (status) => {
    told.push(status)
    heard(status)
  })
  const end = async (): Promise<void> => {
    stop.abort()
    await stopped
  }
  cleanups.push(end)
  const next = (): Promise<FrontendStatus> =>
    new Promise((resolve) => {
      heard = resolve
    })
  return { backend, told, next, end }
}

const carry = (backend: Backend, set: readonly Forwarding[], gone: readonly string[] = []): Promise<void> =>
  backend.sync({ full: false, set, delete: gone, node })

const world = async (): Promise<ReturnType<typeof loopbackWorld>> => {
  const made = loopbackWorld()
  await made.addPod(POD)
  cleanups.push(made.close)
  return made
}

const reach = async (made: ReturnType<typeof loopbackWorld>, address: string, number: number): Promise<string> =>
  (await made.send({ source: { class: 'node', address: '127.0.0.1' }, destination: { address, port: number }, protocol: 'TCP' }))
    .kind

describe('a port that is taken', () => {
  it('is a failure of that frontend only, and is served when it is free', async () => {
    const made = await world()
    const other = createServer().listen(24_001, HOST)
    await once(other, 'listening')
    const clock = pausedClock()
    const { backend, told, next } = await started({ clock })
    await carry(backend, [web(24_001), web(24_002, { name: 'api' })])
    expect(told.map(({ name, state }) => [name, state]).sort()).toEqual([
      ['api', 'serving'],
      ['web', 'failed'],
    ])
    expect(backend.exceptions()).toMatchObject([
      { name: 'web', state: 'failed', code: 'EADDRINUSE', message: expect.stringContaining(`${HOST}:24001`) },
    ])
    expect(await reach(made, HOST, 24_002)).toBe('reached')
    await new Promise((resolve) => other.close(resolve))
    const served = next()
    await clock.advance(2_000)
    expect(await served).toMatchObject({ name: 'web', state: 'serving' })
    expect(backend.exceptions()).toEqual([])
    expect(await reach(made, HOST, 24_001)).toBe('reached')
  })

  it('is tried no more when the Service is gone', async () => {
    const other = createServer().listen(24_001, HOST)
    await once(other, 'listening')
    cleanups.push(() => new Promise((resolve) => other.close(resolve)))
    const clock = pausedClock()
    const { backend, told } = await started({ clock })
    const forwarding = web(24_001)
    await carry(backend, [forwarding])
    await carry(backend, [], [forwarding.key])
    await clock.advance(120_000)
    expect(told.map(({ state }) => state)).toEqual(['failed', 'gone'])
  })
})

describe('a change of endpoints', () => {
  it('leaves the listening socket alone', async () => {
    await world()
    const { backend, told } = await started()
    await carry(backend, [web(24_003)])
    const client = connect(24_003, HOST)
    client.on('error', () => {})
    await once(client, 'connect')
    client.destroy()
    for (let round = 0; round < 5; round++) {
      await carry(backend, [web(24_003, { pods: round % 2 === 0 ? ['127.69.1.9'] : [POD.address, '127.69.1.9'] })])
    }
    expect(told.map(({ state }) => state)).toEqual(['serving'])
  })
})

describe('addresses', () => {
  it('ranges are made local at start and released at stop', async () => {
    const calls: string[] = []
    const localAddresses = {
      ensure: async (cidr: string) => void calls.push(`ensure ${cidr}`),
      release: async (cidr: string) => void calls.push(`release ${cidr}`),
    }
    const { end } = await started({ serviceCIDRs: ['10.96.0.0/16'], localAddresses })
    expect(calls).toEqual(['ensure 10.96.0.0/16'])
    await end()
    expect(calls).toEqual(['ensure 10.96.0.0/16', 'release 10.96.0.0/16'])
  })

  it('outside those ranges are made local one by one, when binding needs it', async () => {
    const calls: string[] = []
    const localAddresses = {
      ensure: async (cidr: string) => void calls.push(`ensure ${cidr}`),
      release: async (cidr: string) => void calls.push(`release ${cidr}`),
    }
    const { backend, end } = await started({ localAddresses, clock: pausedClock() })
    await carry(backend, [web(80, { clusterIP: '198.18.0.1' }), web(24_004, { name: 'api' })])
    await end()
    expect(calls).toEqual(['ensure 198.18.0.1/32', 'release 198.18.0.1/32'])
  })

  it('that nobody can make local are a failure that says what to do', async () => {
    const { backend } = await started({ clock: pausedClock() })
    await carry(backend, [web(80, { clusterIP: '198.18.0.1' })])
    expect(backend.exceptions()).toMatchObject([{ code: 'EADDRNOTAVAIL', message: expect.stringContaining('127.0.0.0/8') }])
  })

  it('cleanup releases the ranges of a process that was killed', async () => {
    const calls: string[] = []
    const localAddresses = { ensure: async () => {}, release: async (cidr: string) => void calls.push(cidr) }
    await createUserspaceBackend({ serviceCIDRs: ['10.96.0.0/16', 'fd00:96::/112'], localAddresses }).cleanup()
    expect(calls).toEqual(['10.96.0.0/16', 'fd00:96::/112'])
  })
})

describe('an endpoint that is a frontend itself', () => {
  it.each([
    ['of its own Service', [web(24_007, { pods: [HOST] })]],
    [
      'of each other',
      [web(24_007, { pods: ['127.69.0.4'] }), web(24_007, { name: 'api', clusterIP: '127.69.0.4', pods: [HOST] })],
    ],
  ])('%s is not forwarded in circles but refused', async (_title, forwardings) => {
    const made = loopbackWorld()
    const { backend } = await started()
    const loops = forwardings.map((forwarding) => ({
      ...forwarding,
      ports: forwarding.ports.map((each) => ({ ...each, cluster: each.cluster.map((target) => ({ ...target, port: 24_007 })) })),
    }))
    await carry(backend, loops)
    expect(await reach(made, HOST, 24_007)).toBe('refused')
  })

  it('leaves the other endpoints of the Service in use', async () => {
    const made = await world()
    const { backend } = await started()
    const forwarding = web(24_008)
    const mixed = {
      ...forwarding,
      ports: forwarding.ports.map((each) => ({ ...each, cluster: [{ address: HOST, port: 24_008 }, ...each.cluster] })),
    }
    await carry(backend, [mixed])
    for (let round = 0; round < 4; round++) expect(await reach(made, HOST, 24_008)).toBe('reached')
  })
})

describe('IPv6', () => {
  it('carries TCP and UDP', async () => {
    const tcp = createServer((socket) => socket.on('error', () => {}).end('six')).listen(18_086, '::1')
    await once(tcp, 'listening')
    cleanups.push(() => new Promise((resolve) => tcp.close(resolve)))
    const udp = createSocket('udp6')
    udp.on('message', (_datagram, { address, port: from }) => udp.send('six', from, address))
    udp.bind(18_086, '::1')
    await once(udp, 'listening')
    cleanups.push(() => new Promise<void>((resolve) => udp.close(() => resolve())))
    const meaning = serviceForwarding(
      {
        service: service('six', {
          clusterIP: '::1',
          clusterIPs: ['::1'],
          ports: [port(24_009), port(24_009, { name: 'u', protocol: 'UDP' })],
        }),
        slices: [
          slice('six', [endpoint('::1')], {
            addressType: 'IPv6',
            ports: [
              { name: '', port: 18_086, protocol: 'TCP' },
              { name: 'u', port: 18_086, protocol: 'UDP' },
            ],
          }),
        ],
        node,
      },
      'IPv6',
    )
    if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
    const { backend } = await started()
    await carry(backend, [meaning.forwarding])
    expect(String((await once(connect(24_009, '::1'), 'data'))[0])).toBe('six')
    const client = createSocket('udp6')
    cleanups.push(() => new Promise<void>((resolve) => client.close(() => resolve())))
    const answer = once(client, 'message')
    client.send('x', 24_009, '::1')
    expect(String((await answer)[0])).toBe('six')
  })
})

describe('stop', () => {
  it('closes every socket, also while a sync opens them', async () => {
    const { backend, end } = await started()
    const syncing = carry(
      backend,
      Array.from({ length: 500 }, (_, index) => web(25_000 + index, { name: `s${index}` })),
    )
    await end()
    await syncing
    const free = createServer().listen(25_000, HOST)
    await once(free, 'listening')
    await new Promise((resolve) => free.close(resolve))
    const late = createServer().listen(25_499, HOST)
    await once(late, 'listening')
    await new Promise((resolve) => late.close(resolve))
  })

  it('lets connections end for as long as it was told', async () => {
    const clock = pausedClock()
    const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(POD.port, POD.address)
    await once(echo, 'listening')
    cleanups.push(() => new Promise((resolve) => echo.close(resolve)))
    const { backend, end } = await started({ drainMs: 1_000, clock })
    await carry(backend, [web(24_005)])
    const client = connect(24_005, HOST)
    client.on('error', () => {})
    client.write('x')
    await once(client, 'data')
    const ending = end()
    client.write('y')
    await once(client, 'data')
    await clock.advance(1_000)
    await ending
    client.destroy()
  })
})

const START_FILE = '/proc/sys/net/ipv4/ip_unprivileged_port_start'
const unprivilegedFrom = existsSync(START_FILE) ? Number(readFileSync(START_FILE, 'utf8')) : 1024
const isRoot = process.getuid?.() === 0
const switchUser = (id: number): void => {
  process.seteuid?.(id)
}

/** Binding as another user: the effective user loses the capability and root gets it back. */
describe.skipIf(!isRoot || unprivilegedFrom <= 80)('as an ordinary user', () => {
  it('a low port is served on a substitute that is named, or the next free one', async () => {
    const made = await world()
    const taken = createServer().listen(10_080, '127.69.0.3')
    await once(taken, 'listening')
    cleanups.push(() => new Promise((resolve) => taken.close(resolve)))
    const { backend, told } = await started({ clock: realClock })
    switchUser(65_534)
    try {
      await carry(backend, [
        web(80, { clusterIP: '127.69.0.2' }),
        web(80, { name: 'next', clusterIP: '127.69.0.3' }),
        web(24_006, { name: 'high', clusterIP: '127.69.0.2' }),
      ])
    } finally {
      switchUser(0)
    }
    expect(told.map(({ name, state }) => [name, state]).sort()).toEqual([
      ['high', 'serving'],
      ['next', 'substituted'],
      ['web', 'substituted'],
    ])
    expect(backend.exceptions()).toMatchObject([
      { name: 'web', port: 80, substitute: 10_080 },
      { name: 'next', port: 80, substitute: 10_081 },
    ])
    expect(await reach(made, '127.69.0.2', 10_080)).toBe('reached')
    expect(await reach(made, '127.69.0.3', 10_081)).toBe('reached')
  })
})
