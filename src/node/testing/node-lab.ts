import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configMapKind, type Pod, podKind, scheme, secretKind, serviceKind } from '../../api/index.ts'
import { applyPatch } from '../../apiserver/patch/index.ts'
import { type Clock, createLogger, realClock, silentLogger } from '../../base/index.ts'
import { type Client, createEventRecorder, type PodLogRequest, type PodLogs } from '../../client/index.ts'
import { createPortClient } from '../../client/port-client.ts'
import { type FakeApi, fakeApi } from '../../client/testing/index.ts'
import { realHost } from '../../host/index.ts'
import { createInformer, type Informer } from '../../informers/index.ts'
import { until } from '../../informers/testing/index.ts'
import { instanceTag } from '../../kernel/link/index.ts'
import { createCatalogue } from '../catalogue.ts'
import { createLoopbackNetwork } from '../network/loopback.ts'
import { createNetnsNetwork } from '../network/netns.ts'
import type { PodNetwork } from '../network/pod-network.ts'
import { createNode } from '../node.ts'

/** A node with real processes and a real network over an evaluating API fake. */
export interface NodeLab {
  readonly api: FakeApi
  readonly pods: Informer<Pod>
  readonly network: PodNetwork
  readonly dataDir: string
  readonly logs: PodLogs
  create(pod: Pod): Promise<Pod>
  /** The pod as soon as it is so. */
  when(name: string, holds: (pod: Pod) => boolean): Promise<Pod>
  whenReady(name: string): Promise<Pod>
  whenGone(name: string): Promise<void>
  readLog(name: string, options?: Partial<Parameters<PodLogs['read']>[0]>): Promise<string>
  /** Resolves when a line of the log is this. */
  whenLogged(name: string, line: string): Promise<void>
  events(name: string): readonly string[]
  /** Stops the node; the API and the data folder stay. */
  stop(): Promise<void>
  /** Stops everything and removes the data folder. */
  close(): Promise<void>
}

export const NODE = 'lab'
let networks = 0

export interface NodeLabOptions {
  readonly kind: PodNetwork['kind']
  readonly api?: FakeApi
  readonly dataDir?: string
  readonly catalogueFile?: string
  readonly clock?: Clock
  /** Made for the kind when left out. */
  readonly network?: PodNetwork
}

export const startNodeLab = async (options: NodeLabOptions): Promise<NodeLab> => {
  const api = options.api ?? fakeApi()
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'fairway-node-')))
  const host = realHost()
  const network = options.network ?? createNetwork(options.kind, dataDir)
  const stop = new AbortController()
  const client = strategicClient(api)
  const informer = { client, clock: realClock, log: silentLogger }
  const pods = createInformer({ ...informer, kind: podKind, fieldSelector: `spec.nodeName=${NODE}` })
  const services = createInformer({ ...informer, kind: serviceKind })
  const configMaps = createInformer({ ...informer, kind: configMapKind })
  const secrets = createInformer({ ...informer, kind: secretKind })
  const informers = await Promise.all([pods, services, configMaps, secrets].map((each) => each.start(stop.signal)))
  const recorder = createEventRecorder({ ...informer, component: 'kubelet', host: NODE })
  const node = createNode({
    client,
    host,
    podInformer: pods,
    serviceInformer: services,
    configMapInformer: configMaps,
    secretInformer: secrets,
    network,
    nodeName: NODE,
    dataDir,
    catalogue: createCatalogue(options.catalogueFile === undefined ? {} : { file: options.catalogueFile }),
    clock: options.clock ?? realClock,
    log: process.env['FAIRWAY_TEST_LOG'] ? createLogger({ level: 'debug' }) : silentLogger,
    recorder,
    dns: { address: network.nodeAddress, port: 53, domain: 'cluster.local' },
  })
  const running = await node.start(stop.signal)
  const podOf = (name: string): Pod | undefined => pods.get('default', name)
  const lab: NodeLab = {
    api,
    pods,
    network,
    dataDir,
    logs: node,
    create: (pod) => api.client.create(podKind, pod),
    async when(name, holds) {
      await until(pods, () => {
        const pod = podOf(name)
        return pod !== undefined && holds(pod)
      })
      return podOf(name) as Pod
    },
    whenReady: (name) => lab.when(name, isReady),
    whenGone: (name) => until(pods, () => podOf(name) === undefined),
    readLog: (name, request = {}) => readWhole(node, { ...LOG_REQUEST, name, ...request }),
    async whenLogged(name, line) {
      await lab.when(name, (object) => object.status?.containerStatuses?.[0]?.state?.running !== undefined)
      await followTo(node, { ...LOG_REQUEST, name, follow: true }, line)
    },
    events: (name) => eventsOf(api, name),
    async stop() {
      stop.abort()
      await running.stopped
      await Promise.all(informers.map(({ stopped }) => stopped))
    },
    async close() {
      await lab.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
  return lab
}

export const isReady = (pod: Pod): boolean => pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True'

const createNetwork = (kind: PodNetwork['kind'], dataDir: string): PodNetwork => {
  // Labs run side by side: each takes a range of its own.
  const slot = (process.pid + networks++) % 200
  if (kind === 'loopback') return createLoopbackNetwork({ podCIDR: `127.90.${slot}.0/24`, nodeAddress: `127.90.${slot}.1` })
  const exec = realHost().exec
  return createNetnsNetwork({ exec, tag: instanceTag(dataDir), podCIDR: `10.251.${slot}.0/24`, nodeAddress: `10.251.${slot}.1` })
}

const LOG_REQUEST = {
  namespace: 'default',
  container: 'main',
  follow: false,
  previous: false,
  timestamps: false,
  signal: new AbortController().signal,
}

const readWhole = async (logs: PodLogs, request: PodLogRequest): Promise<string> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of await logs.read(request)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

const followTo = async (logs: PodLogs, request: PodLogRequest, line: string): Promise<void> => {
  let text = ''
  for await (const chunk of await logs.read(request)) {
    text += Buffer.from(chunk).toString('utf8')
    if (text.split('\n').includes(line)) return
  }
  throw new Error(`the log of ${request.name} ended without ${line}: ${text}`)
}

const eventsOf = (api: FakeApi, name: string): readonly string[] =>
  api.requests
    .filter(({ verb, resource }) => verb === 'create' && resource === 'events')
    .map(({ body }) => body as { involvedObject: { name: string }; reason: string; message: string })
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map(({ reason, message }) => `${reason}: ${message}`)

/** The fake knows no strategic patches: they are evaluated by the API server's own rules here. */
const strategicClient = (api: FakeApi): Client => {
  const execute: FakeApi['execute'] = async (request) => {
    if (request.patchType !== 'strategic') return api.execute(request)
    const kind = scheme.find(({ group, plural }) => group === request.group && plural === request.resource)
    const { body, patchType, ...rest } = request
    const current = await api.execute({ ...rest, verb: 'get', query: {} })
    if (kind === undefined || current.kind !== 'object') throw new Error(`no kind for ${request.resource}`)
    const object = applyPatch({ type: patchType, schema: kind.schema, current: current.object, patch: body })
    return api.execute({ ...rest, verb: 'update', body: object })
  }
  return createPortClient({ port: { execute }, user: { name: 'node', groups: [] }, userAgent: 'node/1' })
}
