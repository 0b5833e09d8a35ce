import { join } from 'node:path'
import type { ConfigMap, Container as ContainerSpec, Pod, Secret } from '../../api/index.ts'
import { ContainerLog } from '../logs/container-log.ts'
import type { Attachment } from '../network/pod-network.ts'
import { applyVolume } from './apply-volumes.ts'
import type { Start } from './container.ts'
import type { PodDeps } from './pod-deps.ts'
import { hostnameOf, prepareContainer } from './prepare.ts'
import { referencesOf } from './references.ts'
import { containerView } from './view.ts'
import { volumePlan } from './volumes.ts'

/** What a pod's containers are made from: its folder with volumes and logs, and the objects that it names. */
export class PodResources {
  readonly #deps: PodDeps
  readonly #pod: () => Pod
  readonly #folder: string
  #volumes: ReadonlyMap<string, string> = new Map()

  constructor(deps: PodDeps, pod: () => Pod) {
    this.#deps = deps
    this.#pod = pod
    this.#folder = join(deps.podsDir, pod().metadata.uid ?? '')
  }

  logFolder(container: string): string {
    return join(this.#folder, 'logs', container)
  }

  openLog(container: string, run: number): ContainerLog {
    const log = new ContainerLog(this.logFolder(container), run)
    void log.removeOlder().catch(() => {})
    return log
  }

  /** Makes the volumes, or brings them up to date. Rejects naming the first volume that can't be made. */
  async applyVolumes(attachment: Attachment): Promise<void> {
    const pod = this.#pod()
    const sources = { pod, context: this.#context(attachment), ...(await this.#objects()) }
    const folders = new Map<string, string>()
    for (const volume of pod.spec.volumes ?? []) {
      const plan = volumePlan(volume, sources)
      if (plan.kind === 'problem') throw new Error(plan.message)
      folders.set(volume.name, await applyVolume(this.#deps.files, join(this.#folder, 'volumes', volume.name), plan))
    }
    this.#volumes = folders
  }

  /** How a container of the pod is to be started. */
  async prepare(container: ContainerSpec, attachment: Attachment): Promise<Start> {
    const { catalogue, machine, dns, objects } = this.#deps
    const pod = this.#pod()
    const preparation = await prepareContainer({
      pod,
      container,
      catalogue,
      machine,
      dns,
      context: this.#context(attachment),
      services: objects.services(pod.metadata.namespace ?? ''),
      volumes: this.#volumes,
      mounted: this.#deps.runtime.views !== undefined,
      ...(await this.#objects()),
    })
    if (preparation.kind === 'waiting') return preparation
    const { argv, env, workingDir, image } = preparation
    const view = await containerView({
      pod,
      container,
      image,
      workingDir,
      volumes: this.#volumes,
      folder: join(this.#folder, 'rootfs', container.name),
      dataDir: this.#deps.dataDir,
      address: attachment.address,
      dns,
      views: this.#deps.runtime.views,
    })
    if (view.kind === 'problem') return { kind: 'waiting', cause: 'config', message: view.message }
    const request = {
      argv,
      env,
      workingDir: view.kind === 'view' ? view.plan.workingDir : workingDir,
      hostname: hostnameOf(pod),
      ...(attachment.namespacePath === undefined ? {} : { namespacePath: attachment.namespacePath }),
      ...(view.kind === 'view' ? { view: view.plan } : {}),
    }
    return { kind: 'ready', request, imageID: `fairway/${image.name}` }
  }

  /** Removes volumes and logs. */
  remove(): Promise<void> {
    return this.#deps.files.remove(this.#folder)
  }

  #context(attachment: Attachment): { readonly podIP: string; readonly hostIP: string } {
    return { podIP: attachment.address, hostIP: this.#deps.network.nodeAddress }
  }

  async #objects(): Promise<{
    readonly configMaps: ReadonlyMap<string, ConfigMap>
    readonly secrets: ReadonlyMap<string, Secret>
  }> {
    const pod = this.#pod()
    const namespace = pod.metadata.namespace ?? ''
    const references = referencesOf(pod)
    const [configMaps, secrets] = await Promise.all([
      this.#deps.objects.configMaps(namespace, references.configMaps),
      this.#deps.objects.secrets(namespace, references.secrets),
    ])
    return { configMaps, secrets }
  }
}
