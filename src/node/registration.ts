import { readFile } from 'node:fs/promises'
import { arch, cpus, release, totalmem } from 'node:os'
import {
  isAlreadyExists,
  isConflict,
  isNotFound,
  type Lease,
  leaseKind,
  type Node,
  type NodeStatus,
  nodeKind,
} from '../api/index.ts'
import { type Clock, errorMessage, type Logger, sleep } from '../base/index.ts'
import type { Client } from '../client/index.ts'
import { timeText } from './pod/desired-status.ts'

export interface RegistrationOptions {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  readonly nodeName: string
  readonly nodeAddress: string
  readonly podCIDR: string
  readonly images: readonly string[]
}

/** As the kubelet: the Lease says "alive" often and cheaply, the Node's status follows slowly. */
const LEASE_SECONDS = 40
const RENEW_MS = 10_000
const STATUS_MS = 300_000
const LEASE_NAMESPACE = 'kube-node-lease'
const RETRY_MS = 1000
const MAX_PODS = 1000

/** Keeps the Node object and its Lease until `signal` aborts; what fails is tried again. `registered` resolves when both were there once. */
export const runRegistration = (
  options: RegistrationOptions,
  signal: AbortSignal,
): { readonly registered: Promise<void>; readonly stopped: Promise<void> } => {
  let resolveRegistered: () => void = () => {}
  const registered = new Promise<void>((resolve) => {
    resolveRegistered = resolve
  })
  const run = async (): Promise<void> => {
    let statusAtMs = Number.NEGATIVE_INFINITY
    while (!signal.aborted) {
      try {
        if (options.clock.monotonic() - statusAtMs >= STATUS_MS) {
          await writeNode(options)
          statusAtMs = options.clock.monotonic()
        }
        await renewLease(options)
        resolveRegistered()
        await sleep(options.clock, RENEW_MS, signal)
      } catch (error) {
        if (signal.aborted) break
        options.log.warn('node was not registered', { node: options.nodeName, error: errorMessage(error) })
        await sleep(options.clock, RETRY_MS, signal)
      }
    }
  }
  return { registered, stopped: run() }
}

const writeNode = async (options: RegistrationOptions): Promise<void> => {
  const { client, nodeName, podCIDR } = options
  const wanted: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: nodeName,
      labels: {
        'kubernetes.io/hostname': nodeName,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': ARCHITECTURES[arch()] ?? arch(),
      },
    },
    spec: { podCIDR, podCIDRs: [podCIDR] },
  }
  const old = await createOrGet(client, wanted)
  // Every label that people may have added stays.
  const value = { metadata: { labels: wanted.metadata.labels }, spec: { podCIDR, podCIDRs: [podCIDR] } }
  if (old) await client.patch(nodeKind, { name: nodeName }, { type: 'strategic', value })
  const status = await nodeStatus(options, old)
  await client.patch(nodeKind, { name: nodeName }, { type: 'strategic', value: { status } }, { subresource: 'status' })
}

/** The object that was there already. */
const createOrGet = async (client: Client, node: Node): Promise<Node | undefined> => {
  try {
    await client.create(nodeKind, node)
    return undefined
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return client.get(nodeKind, { name: node.metadata.name })
  }
}

/** Node.js' names to Go's. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' }

const nodeStatus = async (options: RegistrationOptions, old: Node | undefined): Promise<NodeStatus> => {
  const { nodeName, nodeAddress, images, clock } = options
  const size = { cpu: String(cpus().length), memory: `${Math.floor(totalmem() / 1024)}Ki`, pods: String(MAX_PODS) }
  return {
    capacity: size,
    allocatable: size,
    addresses: [
      { type: 'InternalIP', address: nodeAddress },
      { type: 'Hostname', address: nodeName },
    ],
    conditions: CONDITIONS.map((condition) => {
      const before = old?.status?.conditions?.find(({ type }) => type === condition.type)
      const since = before?.status === condition.status ? before.lastTransitionTime : undefined
      const now = timeText(clock.now())
      return { ...condition, lastHeartbeatTime: now, lastTransitionTime: since ?? now }
    }),
    nodeInfo: {
      machineID: await firstLine('/etc/machine-id'),
      systemUUID: '',
      bootID: await firstLine('/proc/sys/kernel/random/boot_id'),
      kernelVersion: release(),
      osImage: await osName(),
      containerRuntimeVersion: `fairway://process`,
      kubeletVersion: KUBELET_VERSION,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: ARCHITECTURES[arch()] ?? arch(),
    },
    images: images.map((name) => ({ names: [name], sizeBytes: 0 })),
  }
}

/** Which kubelet's behaviour this node follows. */
const KUBELET_VERSION = 'v1.35.0'

const CONDITIONS = [
  {
    type: 'MemoryPressure',
    status: 'False',
    reason: 'KubeletHasSufficientMemory',
    message: 'pods are processes of this machine',
  },
  { type: 'DiskPressure', status: 'False', reason: 'KubeletHasNoDiskPressure', message: 'pods are processes of this machine' },
  { type: 'PIDPressure', status: 'False', reason: 'KubeletHasSufficientPID', message: 'pods are processes of this machine' },
  { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'fairway runs pods as processes' },
] as const

const firstLine = async (path: string): Promise<string> => {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.split('\n')[0] ?? ''
}

const osName = async (): Promise<string> => {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux'
}

const renewLease = async (options: RegistrationOptions): Promise<void> => {
  const { client, clock, nodeName } = options
  const ref = { namespace: LEASE_NAMESPACE, name: nodeName }
  const renewTime = `${new Date(clock.now()).toISOString().slice(0, -1)}000Z`
  const spec = { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime }
  try {
    await client.patch(leaseKind, ref, { type: 'merge', value: { spec } })
  } catch (error) {
    if (!isNotFound(error)) throw error
    const lease: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: ref, spec }
    await client.create(leaseKind, lease).catch((failure: unknown) => {
      if (!isAlreadyExists(failure) && !isConflict(failure)) throw failure
    })
  }
}

/** For pods without limits. */
export const machineSize = (): { readonly cpus: number; readonly memoryBytes: number } => ({
  cpus: cpus().length,
  memoryBytes: totalmem(),
})
