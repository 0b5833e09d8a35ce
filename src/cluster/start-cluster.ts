import { join } from 'node:path'
import {
  createLifecycle,
  createLogger,
  errorMessage,
  type Lifecycle,
  type Logger,
  realClock,
  UserError,
  VERSION,
} from '../base/index.ts'
import type { Client } from '../client/index.ts'
import { type Capabilities, type Host, makeFolder, realHost } from '../host/index.ts'
import { claimOfSharedNames, sharesNames } from '../proxy/index.ts'
import { serveControl } from './control.ts'
import { startControlPlane } from './control-plane.ts'
import { type DataPlane, startDataPlane } from './data-plane.ts'
import type { ControlPlane } from './deps.ts'
import { explainTarget } from './explain.ts'
import { applyManifest, type Manifest, readManifests } from './manifests/index.ts'
import { storeOf } from './open-store.ts'
import { type ClusterFlags, type ClusterOptions, environmentOf, type Privileges, resolveOptions } from './options.ts'
import { createPodLogsRelay } from './pod-logs-relay.ts'
import { podNetwork } from './pod-network.ts'
import { openServiceMode, type ServiceMode } from './proxy-mode.ts'
import { type InstanceStatus, readStatus, startTicksOf } from './status-file.ts'
import { createStatusWriter } from './status-writer.ts'

export interface StartRequest {
  /** Stops the cluster; during the start too. */
  readonly signal: AbortSignal
  /** Called as the start goes on, with what is being started. */
  onStep(step: string): void
}

export interface RunningCluster {
  readonly client: Client
  status(): InstanceStatus
  /** Resolves when everything is stopped and released; rejects when a part failed by itself. */
  readonly stopped: Promise<void>
}

/**
 * Starts everything in this process and resolves when it is ready: the caches are complete, every port is bound and the manifests are applied.
 * Rejects with `UserError` for what the user can mend, having released everything.
 */
export const startCluster = async (flags: ClusterFlags, request: StartRequest): Promise<RunningCluster> => {
  const host = realHost()
  const options = resolveOptions(flags, privilegesOf(await host.capabilities()))
  const manifests = await readManifests(options.manifests)
  await claimDataDir(options.dataDir)
  const log = createLogger({ level: options.logLevel, path: join(options.dataDir, 'fairway.log') })
  const lifecycle = createLifecycle(log)
  try {
    const parts = await startParts({ host, options, lifecycle, log, onStep: guarded(request) })
    await lifecycle.start(serveControl(options.dataDir, { explain: explainTarget(parts.data.proxy, parts.data.ingress) }))
    await applyAll(parts.control.client, manifests, request)
    parts.writer.update({ ready: true })
    await parts.writer.flushed()
    log.info('cluster is ready', { version: VERSION, dataDir: options.dataDir })
    return { client: parts.control.client, status: parts.writer.current, stopped: untilStopped(lifecycle, request.signal) }
  } catch (error) {
    log.error('cluster could not start', { error: errorMessage(error) })
    await lifecycle.stop()
    throw error
  }
}

const privilegesOf = (capabilities: Capabilities): Privileges => ({
  ...environmentOf(capabilities.isRoot),
  network: capabilities.networkNamespaces.usable
    ? { kind: 'netns' }
    : { kind: 'loopback', reason: capabilities.networkNamespaces.reason },
  firstBindablePort: capabilities.isRoot ? 0 : capabilities.unprivilegedPortStart,
})

/** Makes the folder; throws when an instance runs on it. The store's own lock decides between two that start at once. */
const claimDataDir = async (dataDir: string): Promise<void> => {
  const running = await readStatus(dataDir)
  if (running) {
    throw new UserError(
      `another fairway (process ${running.pid}) runs on ${dataDir}; stop it, or choose another folder with --data-dir`,
    )
  }
  try {
    makeFolder(dataDir)
  } catch (cause) {
    throw new UserError(`cannot make the data folder ${dataDir}: ${errorMessage(cause)}; choose another one with --data-dir`, {
      cause,
    })
  }
}

/** Ends the start at its next step when it was told to stop. */
const guarded =
  ({ signal, onStep }: StartRequest) =>
  (step: string): void => {
    signal.throwIfAborted()
    onStep(step)
  }

interface Parts {
  readonly control: ControlPlane
  readonly data: DataPlane
  readonly writer: ReturnType<typeof createStatusWriter>
}

interface Request {
  readonly host: Host
  readonly options: ClusterOptions
  readonly lifecycle: Lifecycle
  readonly log: Logger
  onStep(step: string): void
}

const startParts = async (request: Request): Promise<Parts> => {
  const { host, options, lifecycle, log } = request
  const serviceMode = await openServiceMode({ host, options, clock: realClock, log })
  const writer = createStatusWriter(await initialStatus(options, serviceMode), log)
  request.onStep('store')
  const { store } = await lifecycle.start(storeOf({ dataDir: options.dataDir, clock: realClock, log }))
  if (sharesNames(serviceMode.mode)) {
    await lifecycle.start(claimOfSharedNames(serviceMode.mode, `fairway up with --data-dir ${options.dataDir}`))
  }
  await serviceMode.takeOver()
  const { network } = await lifecycle.start(podNetwork({ host, options, isInKernel: serviceMode.isInKernel }))
  const deps = { ...request, clock: realClock, network, serviceMode, podLogs: createPodLogsRelay(), writer }
  const control = await startControlPlane({ ...deps, store })
  await lifecycle.start(writer)
  writer.update({ api: control.url, kubeconfig: control.kubeconfig })
  const data = await startDataPlane({ ...deps, control })
  return { control, data, writer }
}

const initialStatus = async (options: ClusterOptions, { mode, reason }: ServiceMode): Promise<InstanceStatus> => ({
  ready: false,
  version: VERSION,
  pid: process.pid,
  startTicks: (await startTicksOf(process.pid)) ?? '',
  dataDir: options.dataDir,
  kubeconfig: '',
  api: '',
  ingress: { http: '', https: '' },
  dns: '',
  dnsDomain: options.clusterDomain,
  proxyMode: mode,
  proxyModeReason: reason,
  notes: [
    `proxy mode ${reason}`,
    ...(options.network.kind === 'loopback' ? [`pods share this machine's network: ${options.network.reason}`] : []),
  ],
  network:
    options.network.kind === 'netns' ? `network namespaces in ${options.podCidr}` : `loopback addresses in ${options.podCidr}`,
  nodeName: options.nodeName,
  nodeAddress: options.nodeAddress,
  substitutions: [],
})

const applyAll = async (client: Client, manifests: readonly Manifest[], { signal, onStep }: StartRequest): Promise<void> => {
  if (manifests.length > 0) onStep('manifests')
  for (const manifest of manifests) {
    signal.throwIfAborted()
    try {
      await applyManifest(client, manifest, { namespace: 'default', fieldManager: 'fairway-apply' })
    } catch (cause) {
      throw new UserError(`${manifest.origin}: ${errorMessage(cause)}`, { cause })
    }
  }
}

const untilStopped = async (lifecycle: Lifecycle, signal: AbortSignal): Promise<void> => {
  const asked = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  const failure = await Promise.race([asked, lifecycle.failed])
  await lifecycle.stop()
  if (failure) throw failure
}
