import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { command } from '../support/instance.ts'
import { deployment, echoPod, pod, service, socketVariant, startWorld, variants, type World } from '../support/world.ts'

/** How a connection attempt ends: `open`, or the error's code. */
const dial = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 5000 })
    const end = (outcome: string) => () => {
      socket.destroy()
      resolve(outcome)
    }
    socket.on('connect', end('open')).on('timeout', end('timeout'))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })

const askUdp = async (host: string, port: number, text: string): Promise<string> => {
  const socket = createSocket('udp4')
  try {
    socket.send(text, port, host)
    const [message] = (await once(socket, 'message', { signal: AbortSignal.timeout(2000) })) as [Buffer]
    return message.toString()
  } catch {
    return 'no answer'
  } finally {
    socket.close()
  }
}

const slice = (name: string, service: string, addresses: readonly string[]) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, labels: { 'kubernetes.io/service-name': service } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
})

/** Kubernetes takes no loopback address for an external one. */
const machineAddress = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

describe.each([...variants(16), ...socketVariant(16)])('who answers at the address of a Service, $title', (variant) => {
  const { asUser } = variant
  let world: World
  beforeAll(async () => {
    world = await startWorld(variant)
    await world.apply([deployment('web', echoPod('web'), { replicas: 3 }), service('web')])
    await world.rollout('web')
  })
  afterAll(() => world?.close())

  /** The pods that answer `count` requests from this source address (of the machine) or the default one. */
  const answering = async (url: string, count: number, from?: string): Promise<readonly string[]> => {
    const pods = new Set<string>()
    const args = from === undefined ? [] : ['--interface', from]
    for (let index = 0; index < count; index++) pods.add((await world.get(url, ...args)).pod)
    return [...pods]
  }
  const answers = (url: string) => expect.poll(async () => (await world.get(url)).code, { timeout: 15_000 }).toBe(200)
  const urlOf = async (name: string) => `http://${await world.clusterIP(name)}:8080/`
  const podIP = (name: string) => world.jsonpath('{.status.podIP}', 'pod', name)

  it('keeps each client address at its pod, over scaling, until the pod goes or the timeout ends', async () => {
    const affinity = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 3 } } }
    await world.apply(service('sticky', { selector: { app: 'web' }, ...affinity }))
    const url = await urlOf('sticky')
    await answers(url)
    const sources = asUser ? ['127.0.0.1', '127.9.9.1', '127.9.9.2', '127.9.9.3'] : [undefined]
    for (const source of sources) {
      const [first, ...others] = await answering(url, 5, source)
      expect(others).toEqual([])
      expect(await answering(url, 3, source)).toEqual([first])
    }
    const [stuck = ''] = await answering(url, 3, sources[0])
    await world.kubectl.ok(['scale', 'deployment/web', '--replicas=4'])
    await world.rollout('web')
    expect(await answering(url, 3, sources[0])).toEqual([stuck])
    await world.kubectl.ok(['delete', 'pod', stuck])
    await world.rollout('web')
    const [next, ...rest] = await answering(url, 5, sources[0])
    expect(rest).toEqual([])
    expect(next).not.toBe(stuck)
    const begun = Date.now()
    // Each idle period longer than the timeout gives a new choice among four: soon another pod.
    await expect
      .poll(async () => (await answering(url, 1, sources[0]))[0] !== next, { timeout: 50_000, interval: 3200 })
      .toBe(true)
    expect(Date.now() - begun).toBeGreaterThan(2900)
  }, 90_000)

  it('finds a named targetPort where each pod has it', async () => {
    const at = (name: string, port: number) =>
      pod(name, { labels: { app: 'mixed' }, container: { ports: [{ name: 'http', containerPort: port }] } })
    await world.apply([
      at('mixed-a', 8081),
      at('mixed-b', 8082),
      service('mixed', { ports: [{ port: 8080, targetPort: 'http' }] }),
    ])
    await world.kubectl.ok(['wait', '--for=condition=Ready', 'pod/mixed-a', 'pod/mixed-b', '--timeout=60s'])
    const url = await urlOf('mixed')
    await answers(url)
    await expect.poll(async () => [...(await answering(url, 12))].sort()).toEqual(['mixed-a', 'mixed-b'])
  })

  it('carries TCP and UDP of the same number, and other ports beside', async () => {
    const ports = [
      { name: 'http', containerPort: 8080 },
      { name: 'tcp-echo', containerPort: 9000 },
      { name: 'udp-echo', containerPort: 9000, protocol: 'UDP' },
    ]
    await world.apply([
      pod('several', { container: { ports } }),
      service('several', {
        ports: [
          { name: 'http', port: 8080 },
          { name: 'tcp', port: 9000 },
          { name: 'udp', port: 9000, protocol: 'UDP' },
        ],
      }),
    ])
    await world.kubectl.ok(['wait', '--for=condition=Ready', 'pod/several', '--timeout=60s'])
    const address = await world.clusterIP('several')
    await answers(`http://${address}:8080/`)
    await expect.poll(() => askUdp(address, 9000, 'hello'), { timeout: 10_000 }).toBe('hello')
    const socket = connect({ host: address, port: 9000 })
    socket.end('over tcp')
    const [echoed] = (await once(socket, 'data')) as [Buffer]
    expect(echoed.toString()).toBe('over tcp')
    socket.destroy()
  })

  it('refuses at once where there is no endpoint', async () => {
    await world.apply(service('empty'))
    const address = await world.clusterIP('empty')
    await expect.poll(() => dial(address, 8080), { timeout: 10_000 }).toBe('ECONNREFUSED')
  })

  it.skipIf(machineAddress === undefined)('serves external addresses of this machine', async () => {
    const external = machineAddress ?? ''
    await world.apply(
      service('outside', { selector: { app: 'web' }, externalIPs: [external], ports: [{ port: 18080, targetPort: 8080 }] }),
    )
    await answers(`http://${external}:18080/`)
  })

  it('counts its own pods as local, for both traffic policies', async () => {
    const policies = { type: 'NodePort', internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' }
    await world.apply(service('local', { selector: { app: 'web' }, ...policies }))
    await answers(await urlOf('local'))
    const nodePort = await world.jsonpath('{.spec.ports[0].nodePort}', 'service', 'local')
    await answers(`http://${world.instance.status.nodeAddress}:${nodePort}/`)
    await world.kubectl.ok(['patch', 'service', 'local', '-p', '{"spec":{"selector":{"app":"nobody"}}}'])
    const address = await world.clusterIP('local')
    await expect.poll(() => dial(address, 8080), { timeout: 10_000 }).toBe('ECONNREFUSED')
  })

  it('goes where a slice or Endpoints written by hand say', async () => {
    await world.apply([pod('target')])
    await world.kubectl.ok(['wait', '--for=condition=Ready', 'pod/target', '--timeout=60s'])
    const address = await podIP('target')
    const bare = (name: string) => {
      const { selector: _, ...spec } = service(name).spec
      return { ...service(name), spec }
    }
    await world.apply([
      bare('by-slice'),
      slice('by-hand', 'by-slice', [address]),
      bare('by-endpoints'),
      {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: { name: 'by-endpoints' },
        subsets: [{ addresses: [{ ip: address }], ports: [{ name: 'http', port: 8080 }] }],
      },
    ])
    for (const name of ['by-slice', 'by-endpoints']) {
      const url = await urlOf(name)
      await expect.poll(async () => (await world.get(url)).pod, { timeout: 15_000 }).toBe('target')
    }
    await world.kubectl.ok(['delete', 'endpoints', 'by-endpoints'])
    const gone = await world.clusterIP('by-endpoints')
    await expect.poll(() => dial(gone, 8080), { timeout: 10_000 }).toBe('ECONNREFUSED')
  })

  it.skipIf(asUser)('tells clients in other network namespaces apart', async () => {
    const names = (await command('ip', ['netns', 'list'])).stdout.split('\n').map((line) => line.split(' ')[0] ?? '')
    const url = await urlOf('sticky')
    const podAddresses = (await world.jsonpath('{.items[*].status.podIP}', 'pods', '-l', 'app=web')).split(' ')
    const clients: string[] = []
    for (const name of names.filter(Boolean)) {
      const { stdout } = await command('ip', ['-n', name, '-o', '-4', 'address'])
      if (podAddresses.some((address) => stdout.includes(` ${address}/`))) clients.push(name)
    }
    expect(clients.length).toBeGreaterThan(1)
    const seen = new Map<string, Set<string>>()
    for (const name of clients) {
      for (let index = 0; index < 4; index++) {
        const { stdout } = await command('ip', ['netns', 'exec', name, 'curl', '-sS', '-m', '5', url])
        const { client, pod: by } = JSON.parse(stdout) as { client: string; pod: string }
        const from = client.split(':')[0] ?? ''
        seen.set(`${name} ${from}`, (seen.get(`${name} ${from}`) ?? new Set()).add(by))
      }
    }
    expect(seen.size).toBe(clients.length)
    for (const pods of seen.values()) expect(pods.size).toBe(1)
  })
})
