import { Agent, createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  configMapKind,
  endpointSliceKind,
  type Ingress,
  ingressClassKind,
  ingressKind,
  secretKind,
  serviceKind,
} from '../../src/api/index.ts'
import { startTestServer } from '../../src/apiserver/testing/test-server.ts'
import { realClock, silentLogger } from '../../src/base/index.ts'
import { createInProcessClient } from '../../src/client/index.ts'
import { createInformer, followEverything } from '../../src/informers/index.ts'
import { createIngress } from '../../src/ingress/index.ts'
import { createEngine } from '../../src/l7/index.ts'
import { sliceIndexes } from '../../src/model/index.ts'
import { endpoint, port, service, slice } from '../../src/model/testing/index.ts'
import { median, percentile } from '../median.ts'
import type { Result } from '../result.ts'

const SIZES = [10, 1_000, 10_000]
const SAMPLES = 300
const WARM_UP = 30
const GIVE_UP_MS = 10_000
const PATHS = 5

/** From a durable write of an Ingress to the first request that meets it, at several numbers of hosts with five paths each. */
export const run = async (): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const size of SIZES) results.push(...(await measure(size)))
  return results
}

type World = Awaited<ReturnType<typeof openWorld>>

const measure = async (size: number): Promise<readonly Result[]> => {
  const world = await openWorld(size)
  try {
    const samples: number[] = []
    for (let round = 0; round < SAMPLES + WARM_UP; round++) {
      const took = await change(world, (round * 7_919) % size, round)
      if (round >= WARM_UP) samples.push(took)
    }
    const name = `${size.toLocaleString('en-US')} hosts × ${PATHS} paths`
    return [
      { name: `${name}: API write to serving, p50`, value: median(samples), unit: 'ms' },
      { name: `${name}: API write to serving, p99`, value: percentile(samples, 0.99), unit: 'ms' },
      { name: `${name}: first table in the worker after the caches are complete`, value: world.firstTableMs, unit: 'ms' },
    ]
  } finally {
    await world.close()
  }
}

const hostOf = (index: number): string => `h${index}.example.com`

/** Four paths stay; the fifth is another one each time. */
const ingressAt = (
  index: number,
  version: number,
): Omit<Ingress, 'metadata'> & { metadata: { name: string; namespace: string } } => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: `i${index}`, namespace: 'default' },
  spec: {
    ingressClassName: 'fairway',
    rules: [
      {
        host: hostOf(index),
        http: {
          paths: ['/a', '/b', '/c', '/d', `/v${version}`].map((path) => ({
            path,
            pathType: 'Prefix' as const,
            backend: { service: { name: 'web', port: { number: 80 } } },
          })),
        },
      },
    ],
  },
})

const openWorld = async (size: number) => {
  const pod = createServer((_request, response) => response.end('ok'))
  await new Promise<void>((resolve) => pod.listen(0, '127.0.0.1', resolve))
  const api = await startTestServer()
  const user = { name: 'bench', groups: ['system:masters'] }
  const client = createInProcessClient({ port: api.server, user, userAgent: 'bench/1' })
  await client.create(ingressClassKind, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: { name: 'fairway' },
    spec: { controller: 'fairway.dev/ingress' },
  })
  await client.create(serviceKind, service('web', { clusterIP: '127.66.0.1', clusterIPs: ['127.66.0.1'], ports: [port(80)] }))
  const endpoints = [endpoint('127.0.0.1', { conditions: { ready: true, serving: true, terminating: false } })]
  const ports = [{ name: '', port: portOf(pod), protocol: 'TCP' as const }]
  await client.create(endpointSliceKind, slice('web', endpoints, { ports }))
  await inParallel(size, (index) => client.create(ingressKind, ingressAt(index, 0)))
  const common = { client, clock: realClock, log: silentLogger }
  const informers = {
    ingresses: createInformer({ ...common, kind: ingressKind }),
    ingressClasses: createInformer({ ...common, kind: ingressClassKind }),
    services: createInformer({ ...common, kind: serviceKind }),
    slices: createInformer({ ...common, kind: endpointSliceKind, indexes: sliceIndexes }),
  }
  const secrets = createInformer({ ...common, kind: secretKind })
  const configMaps = createInformer({ ...common, kind: configMapKind })
  const stop = new AbortController()
  const started = await Promise.all([...Object.values(informers), secrets, configMaps].map((each) => each.start(stop.signal)))
  await Promise.all([...Object.values(informers), secrets, configMaps].map((each) => each.waitForSync(stop.signal)))
  const engine = createEngine({ http: { address: '127.0.0.1', port: 0 }, workers: 1, log: silentLogger })
  const running = await engine.start(stop.signal)
  const controller = createIngress({
    ...informers,
    secrets: followEverything(secrets),
    configMaps: followEverything(configMaps),
    engine,
    clock: realClock,
    log: silentLogger,
  })
  const begun = performance.now()
  const ingress = await controller.start(stop.signal)
  const firstTableMs = performance.now() - begun
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return {
    client,
    agent,
    port: running.http ?? 0,
    firstTableMs,
    async close() {
      agent.destroy()
      stop.abort()
      await Promise.all([...started, ingress, running].map(({ stopped }) => stopped))
      await api.stop()
      pod.close()
      pod.closeAllConnections()
    },
  }
}

const change = async ({ client, agent, port }: World, index: number, round: number): Promise<number> => {
  const version = round + 1
  const from = performance.now()
  await client.update(ingressKind, ingressAt(index, version))
  while ((await statusOf(agent, port, { host: hostOf(index), path: `/v${version}` })) !== 200) {
    if (performance.now() - from > GIVE_UP_MS) throw new Error(`${hostOf(index)}/v${version} is not served`)
  }
  return performance.now() - from
}

const statusOf = (agent: Agent, port: number, asked: { readonly host: string; readonly path: string }): Promise<number> =>
  new Promise((resolve, reject) => {
    const { host, path } = asked
    get({ agent, port, host: '127.0.0.1', path, headers: { host } }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    }).on('error', reject)
  })

const inParallel = async (count: number, act: (index: number) => Promise<unknown>): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await act(index)
  }
  await Promise.all(Array.from({ length: 64 }, worker))
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port
