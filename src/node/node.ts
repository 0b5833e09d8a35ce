import { join } from 'node:path'
import {
  badRequest,
  type ConfigMap,
  configMapKind,
  isNotFound,
  type Kind,
  type KubeObject,
  notFound,
  type Pod,
  type Secret,
  type Service,
  secretKind,
} from '../api/index.ts'
import { aborted, type Clock, type Component, errorMessage, type Logger, type Running } from '../base/index.ts'
import type { Client, EventRecorder, PodLogRequest, PodLogs } from '../client/index.ts'
import type { Host } from '../host/index.ts'
import type { Informer } from '../informers/index.ts'
import { type InstanceTag, instanceTag } from '../kernel/link/index.ts'
import type { ImageCatalogue } from './catalogue.ts'
import { readLog } from './logs/read-log.ts'
import type { PodNetwork } from './network/pod-network.ts'
import { PodController } from './pod/controller.ts'
import type { NodeDns, ObjectReader, PodDeps, Traffic } from './pod/pod-deps.ts'
import { referencesOf } from './pod/references.ts'
import { machineSize, runRegistration } from './registration.ts'
import { killLeftovers } from './runtime/journal.ts'
import { createRuntime } from './runtime/runtime.ts'

export interface NodeOptions {
  readonly client: Client
  readonly host: Host
  /** Pods of other nodes may be in it; a field selector `spec.nodeName=NAME` keeps them out. Started by the caller, as the others are. */
  readonly podInformer: Informer<Pod>
  readonly serviceInformer: Informer<Service>
  /** Without them, ConfigMaps and Secrets are read when a pod starts, and volumes don't follow their changes. */
  readonly configMapInformer?: Informer<ConfigMap>
  readonly secretInformer?: Informer<Secret>
  readonly network: PodNetwork
  readonly nodeName: string
  /** Absolute. */
  readonly dataDir: string
  readonly catalogue: ImageCatalogue
  readonly clock: Clock
  readonly log: Logger
  readonly recorder: EventRecorder
  readonly dns: NodeDns
  /** Asked before a pod that is an endpoint gets SIGTERM; without it nobody is waited for. */
  readonly traffic?: Traffic
}

/**
 * A Kubernetes node on this machine: runs the pods that are bound to it as processes. Started, it has removed what an earlier run left and
 * registered itself; stopped, it has ended every pod's processes and removed its network, and left the objects as they are.
 */
export const createNode = (options: NodeOptions): Component & PodLogs => {
  const node = new NodeController(options)
  return { name: 'node', start: (signal) => node.start(signal), read: (request) => node.read(request) }
}

class NodeController {
  readonly #options: NodeOptions
  readonly #pods = new Map<string, PodController>()
  /** `kind/namespace/name` of a ConfigMap or Secret to the uids of the pods that name it. */
  readonly #referrers = new Map<string, Set<string>>()
  readonly #tag: InstanceTag
  #deps: PodDeps | undefined

  constructor(options: NodeOptions) {
    this.#options = options
    this.#tag = instanceTag(options.dataDir)
  }

  async start(signal: AbortSignal): Promise<Running> {
    const { host, network, dataDir, log, clock, client, nodeName, catalogue } = this.#options
    const killed = await killLeftovers({ files: host.files, dataDir, tag: this.#tag, clock })
    if (killed.length > 0) log.warn('ended processes that an earlier run left', { count: killed.length })
    try {
      await network.prepare()
      const runtime = await createRuntime({ host, dataDir, tag: this.#tag, clock })
      log.info('pods run as processes', { network: network.kind, isolation: runtime.isolation })
      this.#deps = this.#podDeps(runtime, await firstBindablePort(host))
      const images = await catalogue.names()
      const registration = runRegistration(
        { client, clock, log, nodeName, nodeAddress: network.nodeAddress, podCIDR: network.podCIDR, images },
        signal,
      )
      await Promise.race([registration.registered, aborted(signal)])
      const stops = this.#follow(this.#deps)
      void this.#removeOldFolders(this.#deps, signal).catch((error: unknown) =>
        log.warn('old pod folders stay', { error: errorMessage(error) }),
      )
      return { stopped: this.#stopped(signal, stops, registration.stopped) }
    } catch (error) {
      await network.close()
      throw error
    }
  }

  async read(request: PodLogRequest): Promise<AsyncIterable<Uint8Array>> {
    const { namespace, name, container, previous, follow, timestamps, tailLines, sinceSeconds, limitBytes, signal } = request
    const pod = [...this.#pods.values()].find(
      (candidate) => candidate.pod.metadata.name === name && candidate.pod.metadata.namespace === namespace,
    )
    if (pod === undefined) throw notFound({ group: '', plural: 'pods', kind: 'Pod', name })
    const log = await pod.log(container, previous)
    if (log === undefined) {
      const what = previous
        ? `previous terminated container "${container}" in pod "${name}" not found`
        : `container "${container}" in pod "${name}" is waiting to start`
      throw badRequest(what)
    }
    const sinceMs = sinceSeconds === undefined ? undefined : this.#options.clock.now() - sinceSeconds * 1000
    return readLog(log, { follow: follow && !previous, timestamps, tailLines, sinceMs, limitBytes, signal })
  }

  #podDeps(runtime: PodDeps['runtime'], lowestPort: number): PodDeps {
    const { client, network, catalogue, host, clock, log, recorder, dns, traffic, dataDir } = this.#options
    const machine = machineSize()
    return {
      client,
      network,
      runtime,
      catalogue,
      objects: this.#objectReader(),
      files: host.files,
      clock,
      log,
      recorder,
      machine,
      firstBindablePort: lowestPort,
      dataDir,
      podsDir: join(dataDir, 'node', 'pods'),
      dns,
      traffic,
    }
  }

  #follow(deps: PodDeps): readonly (() => void)[] {
    const { podInformer, configMapInformer, secretInformer, nodeName } = this.#options
    return [
      podInformer.onChange((change) => {
        if (change.object.spec.nodeName !== nodeName) return
        if (change.type === 'deleted') this.#gone(change.object)
        else this.#present(change.object, deps)
      }),
      configMapInformer?.onChange(({ object }) => this.#referenced('configmap', object)),
      secretInformer?.onChange(({ object }) => this.#referenced('secret', object)),
    ].filter((stop) => stop !== undefined)
  }

  /** Folders of pods that were deleted while no node ran. */
  async #removeOldFolders(deps: PodDeps, signal: AbortSignal): Promise<void> {
    await this.#options.podInformer.waitForSync(signal)
    for (const uid of await deps.files.list(deps.podsDir))
      if (!this.#pods.has(uid)) await deps.files.remove(join(deps.podsDir, uid))
  }

  #present(pod: Pod, deps: PodDeps): void {
    const uid = pod.metadata.uid ?? ''
    const known = this.#pods.get(uid)
    if (known) {
      known.update(pod)
      return
    }
    // A pod of the same name whose deletion was missed: a deleted change for it will never come.
    for (const other of this.#pods.values()) {
      if (other.pod.metadata.name === pod.metadata.name && other.pod.metadata.namespace === pod.metadata.namespace) other.gone()
    }
    const controller = new PodController(deps, pod)
    this.#pods.set(uid, controller)
    const keys = referenceKeys(pod)
    for (const key of keys) this.#referrers.set(key, (this.#referrers.get(key) ?? new Set()).add(uid))
    void controller.over.then(() => {
      this.#pods.delete(uid)
      for (const key of keys) {
        const uids = this.#referrers.get(key)
        uids?.delete(uid)
        if (uids?.size === 0) this.#referrers.delete(key)
      }
    })
  }

  #gone(pod: Pod): void {
    this.#pods.get(pod.metadata.uid ?? '')?.gone()
  }

  #referenced(kind: 'configmap' | 'secret', object: KubeObject): void {
    const uids = this.#referrers.get(`${kind}/${object.metadata.namespace}/${object.metadata.name}`) ?? []
    for (const uid of uids) this.#pods.get(uid)?.refresh()
  }

  async #stopped(signal: AbortSignal, stops: readonly (() => void)[], registration: Promise<void>): Promise<void> {
    await aborted(signal)
    for (const stop of stops) stop()
    await Promise.all([...this.#pods.values()].map((pod) => pod.shutDown()))
    await this.#options.network.close()
    await registration
  }

  #objectReader(): ObjectReader {
    const { client, configMapInformer, secretInformer, serviceInformer } = this.#options
    const reader =
      <T extends KubeObject>(kind: Kind<T>, informer: Informer<T> | undefined) =>
      async (namespace: string, names: readonly string[]): Promise<ReadonlyMap<string, T>> => {
        const found = await Promise.all(
          names.map(async (name): Promise<[string, T][]> => {
            const object = informer?.synced ? informer.get(namespace, name) : await getIfThere(client, kind, { namespace, name })
            return object === undefined ? [] : [[name, object]]
          }),
        )
        return new Map(found.flat())
      }
    return {
      configMaps: reader(configMapKind, configMapInformer),
      secrets: reader(secretKind, secretInformer),
      services: (namespace) => {
        const master = serviceInformer.get('default', 'kubernetes')
        return [...serviceInformer.list(namespace), ...(master && namespace !== 'default' ? [master] : [])]
      },
    }
  }
}

const firstBindablePort = async (host: Host): Promise<number> => {
  const { isRoot, unprivilegedPortStart } = await host.capabilities()
  return isRoot ? 1 : unprivilegedPortStart
}

const referenceKeys = (pod: Pod): readonly string[] => {
  const { configMaps, secrets } = referencesOf(pod)
  const { namespace } = pod.metadata
  return [...configMaps.map((name) => `configmap/${namespace}/${name}`), ...secrets.map((name) => `secret/${namespace}/${name}`)]
}

const getIfThere = async <T extends KubeObject>(
  client: Client,
  kind: Kind<T>,
  ref: { readonly namespace: string; readonly name: string },
): Promise<T | undefined> => {
  try {
    return await client.get(kind, ref)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
