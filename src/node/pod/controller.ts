import { join } from 'node:path'
import { isConflict, isNotFound, type Pod, type PodStatus, podKind } from '../../api/index.ts'
import { errorMessage, sleep, type Timer } from '../../base/index.ts'
import { ContainerLog } from '../logs/container-log.ts'
import type { Attachment } from '../network/pod-network.ts'
import { retryDelay } from './backoff.ts'
import { Container, type ContainerOwner } from './container.ts'
import { type Action, desiredActions } from './desired.ts'
import { desiredStatus } from './desired-status.ts'
import type { PodDeps } from './pod-deps.ts'
import { allContainers } from './references.ts'
import { PodResources } from './resources.ts'
import type { Obstacle, PodSnapshot } from './snapshot.ts'
import { StatusWriter } from './status-writer.ts'

/** How long containers have to end when the node itself stops. */
const SHUTDOWN_GRACE_MS = 2000

/**
 * Keeps one pod of this node as its object says: a loop that snapshots, decides and acts whenever the pod, a container or a
 * ConfigMap or Secret that it names changed. One pass at a time; what happens during a pass makes another.
 */
export class PodController {
  readonly uid: string
  readonly #deps: PodDeps
  #pod: Pod
  readonly #resources: PodResources
  readonly #containers: ReadonlyMap<string, Container>
  readonly #writer: StatusWriter
  readonly #startedAtMs: number
  readonly #stop = new AbortController()
  #attachment: Attachment | undefined
  /** Stays after the address was given back: a finished pod goes on showing it. */
  #address: string | undefined
  #obstacle: Obstacle | undefined
  #failures = 0
  #ending: 'no' | 'gone' | 'shutdown' = 'no'
  #endDeadlineMs = 0
  #deletingSinceMs: number | undefined
  /** As decided last. */
  #status: PodStatus | undefined
  #dirty = false
  #stale = true
  #pass: Promise<void> | undefined
  #timer: Timer | undefined
  #resolveOver: () => void = () => {}
  /** Resolves when the pod holds nothing any more and its controller can be forgotten. */
  readonly over: Promise<void>

  constructor(deps: PodDeps, pod: Pod) {
    this.#deps = deps
    this.#pod = pod
    this.uid = pod.metadata.uid ?? ''
    this.#startedAtMs = Date.parse(pod.status?.startTime ?? '') || deps.clock.now()
    this.#resources = new PodResources(deps, () => this.#pod)
    this.#writer = new StatusWriter(deps, () => this.#pod, this.#stop.signal)
    const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
    const owner = this.#owner()
    this.#containers = new Map(
      allContainers(pod).map((spec) => [
        spec.name,
        new Container(
          spec,
          owner,
          statuses.find(({ name }) => name === spec.name),
        ),
      ]),
    )
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve
    })
    this.#wake()
  }

  get pod(): Pod {
    return this.#pod
  }

  /** The object changed. */
  update(pod: Pod): void {
    this.#pod = pod
    this.#wake()
  }

  /** A ConfigMap or Secret that the pod names changed. */
  refresh(): void {
    this.#stale = true
    if (this.#obstacle) this.#obstacle = { ...this.#obstacle, retryAtMs: this.#deps.clock.now() }
    for (const container of this.#containers.values()) container.retryNow()
    this.#wake()
  }

  /** The object is gone from the API, which without a grace period happens by force only: what runs is killed. */
  gone(): void {
    this.#end('gone')
  }

  /** The node stops: containers end shortly, the object stays. */
  async shutDown(): Promise<void> {
    this.#end('shutdown')
    await this.over
  }

  /** The log of a container's present or latest run, or of the one before. */
  async log(container: string, previous: boolean): Promise<ContainerLog | undefined> {
    const subject = this.#containers.get(container)
    if (subject === undefined) return undefined
    const current = subject.log
    const run = (current?.run ?? subject.restartCount) - (previous ? 1 : 0)
    if (current?.run === run) return current
    return run < 0 ? undefined : ContainerLog.load(this.#resources.logFolder(container), run)
  }

  #end(how: 'gone' | 'shutdown'): void {
    if (this.#ending === 'shutdown') return
    this.#ending = how
    this.#endDeadlineMs = this.#deps.clock.now() + (how === 'gone' ? 0 : SHUTDOWN_GRACE_MS)
    this.#wake()
  }

  #wake(): void {
    this.#dirty = true
    this.#pass ??= this.#passes()
  }

  async #passes(): Promise<void> {
    // Changes that come together make one pass.
    await Promise.resolve()
    while (this.#dirty) {
      this.#dirty = false
      try {
        await this.#once()
      } catch (error) {
        this.#deps.log.error('pod pass failed', {
          pod: join(this.#pod.metadata.namespace ?? '', this.#pod.metadata.name),
          error: errorMessage(error),
        })
        this.#wakeAt(this.#deps.clock.now() + retryDelay(1))
      }
    }
    this.#pass = undefined
  }

  async #once(): Promise<void> {
    this.#timer?.cancel()
    if (this.#ending !== 'no') return this.#endNow()
    const deleting = this.#pod.metadata.deletionTimestamp !== undefined
    if (deleting) this.#deletingSinceMs ??= this.#deps.clock.now()
    const finished = ['Succeeded', 'Failed'].includes(this.#pod.status?.phase ?? '') && !this.#anyRunning()
    if (!deleting && !finished) await this.#setUp()
    const decision = desiredActions(this.#snapshot())
    for (const action of decision.actions) await this.#apply(action)
    this.#status = desiredStatus(this.#snapshot())
    this.#writer.set(this.#status)
    if (decision.over && !this.#anyRunning()) await (deleting ? this.#finishDeletion() : this.#release())
    if (decision.wakeAtMs !== undefined) this.#wakeAt(decision.wakeAtMs)
  }

  /** Network and volumes; what fails is shown as why containers wait, and tried again. */
  async #setUp(): Promise<void> {
    if (this.#obstacle?.retryAtMs !== undefined && this.#obstacle.retryAtMs > this.#deps.clock.now()) return
    const was = this.#obstacle
    this.#obstacle = undefined
    try {
      this.#attachment ??= await this.#attach()
      if (this.#stale) await this.#resources.applyVolumes(this.#attachment)
      this.#stale = false
      this.#failures = 0
    } catch (error) {
      const reason = this.#attachment === undefined ? 'FailedCreatePodSandBox' : 'FailedMount'
      this.#failures++
      this.#obstacle = {
        reason: 'ContainerCreating',
        message: errorMessage(error),
        retryAtMs: this.#deps.clock.now() + retryDelay(this.#failures),
      }
      if (was?.message !== this.#obstacle.message) this.#event('Warning', reason, errorMessage(error))
      // A volume that can't be renewed does not stop what runs.
      if (this.#anyRunning()) this.#obstacle = undefined
    }
  }

  async #attach(): Promise<Attachment> {
    const preferredAddress = this.#pod.status?.podIP
    const attachment = await this.#deps.network.attach({
      uid: this.uid,
      hostNetwork: this.#pod.spec.hostNetwork ?? false,
      ...(preferredAddress === undefined ? {} : { preferredAddress }),
    })
    this.#address = attachment.address
    if (attachment.namespacePath === undefined) this.#warnOfPorts()
    return attachment
  }

  #warnOfPorts(): void {
    const { firstBindablePort } = this.#deps
    const ports = this.#pod.spec.containers
      .flatMap((container) => container.ports ?? [])
      .map(({ containerPort }) => containerPort)
    const low = ports.filter((port) => port < firstBindablePort)
    if (low.length === 0) return
    const remedy = `choose ports from ${firstBindablePort} on, run fairway as root, or lower net.ipv4.ip_unprivileged_port_start`
    this.#event('Warning', 'PortNotPermitted', `an ordinary user's process can't bind port ${low.join(', ')}: ${remedy}`)
  }

  #snapshot(): PodSnapshot {
    return {
      pod: this.#pod,
      nowMs: this.#deps.clock.now(),
      address: this.#address ?? this.#pod.status?.podIP,
      hostAddress: this.#deps.network.nodeAddress,
      ...(this.#obstacle === undefined ? {} : { obstacle: this.#obstacle }),
      containers: new Map([...this.#containers].map(([name, container]) => [name, container.snapshot()])),
      startedAtMs: this.#startedAtMs,
      ...(this.#deletingSinceMs === undefined ? {} : { deletingSinceMs: this.#deletingSinceMs }),
      ...(this.#status === undefined ? {} : { lastStatus: this.#status }),
    }
  }

  async #apply(action: Action): Promise<void> {
    const container = this.#containers.get(action.container)
    if (container === undefined) return
    if (action.kind === 'stop') container.stop(action.deadlineMs, action.why)
    else if (this.#attachment) await container.start(await this.#resources.prepare(container.spec, this.#attachment))
  }

  /** The last status goes out before the object goes: endpoints and controllers see how it ended. */
  async #finishDeletion(): Promise<void> {
    if (this.#attachment && this.#deps.network.kind === 'netns') await sleep(this.#deps.clock, LINGER_MS, this.#stop.signal)
    await this.#release()
    await this.#writer.flush()
    const { name, namespace, finalizers = [] } = this.#pod.metadata
    try {
      await this.#deps.client.delete(podKind, { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid: this.uid } })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) {
        this.#deps.log.warn('pod was not deleted', { pod: name, error: errorMessage(error) })
        return this.#wakeAt(this.#deps.clock.now() + DELETE_RETRY_MS)
      }
    }
    if (finalizers.length === 0) await this.#forget()
  }

  async #release(): Promise<void> {
    if (this.#attachment === undefined) return
    this.#attachment = undefined
    await this.#deps.network.detach(this.uid)
  }

  async #endNow(): Promise<void> {
    for (const container of this.#containers.values()) if (container.isRunning) container.stop(this.#endDeadlineMs, 'deleted')
    if (this.#anyRunning()) return
    await this.#release()
    if (this.#ending === 'gone') await this.#forget()
    else this.#close()
  }

  async #forget(): Promise<void> {
    await this.#resources.remove()
    this.#close()
  }

  #close(): void {
    this.#stop.abort()
    this.#timer?.cancel()
    this.#resolveOver()
  }

  #anyRunning(): boolean {
    return [...this.#containers.values()].some((container) => container.isRunning)
  }

  #wakeAt(atMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#deps.clock.setTimer(() => this.#wake(), Math.max(0, atMs - this.#deps.clock.now()))
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.recorder.event(this.#pod, { type, reason, message })
  }

  #owner(): ContainerOwner {
    return {
      deps: this.#deps,
      pod: () => this.#pod,
      address: () => this.#address ?? this.#deps.network.nodeAddress,
      changed: () => this.#wake(),
      openLog: (container, run) => this.#resources.openLog(container, run),
    }
  }
}

const DELETE_RETRY_MS = 1000
/** What was on its way when the last process ended gets a reset from the pod's network namespace; without the namespace its sender would wait in silence. */
const LINGER_MS = 200
