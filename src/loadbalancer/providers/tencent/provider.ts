import type { Clock, Logger } from '../../../base/index.ts'
import { LoadBalancerError } from '../../errors.ts'
import type { Call, DesiredLoadBalancer, ObservedLoadBalancer, Outcome, Problem, Provider } from '../../provider.ts'
import { type ClaimOptions, claimOf } from './claim.ts'
import type { CloudApi, LoadBalancerInfo } from './client/index.ts'
import { converge } from './converge.ts'
import { creationParams, differences } from './creation.ts'
import { plan } from './desired.ts'
import type { Observed } from './diff.ts'
import { asFailure } from './failure.ts'
import { find, findOrCreate, holderOf, type LocateDeps } from './locate.ts'
import { lookUp } from './lookups.ts'
import { CLUSTER_TAG, CREATED_BY_TAG, keptBecause, keyOf, meaningOf, SERVICE_TAG, TOKEN_TAG, unusableBecause } from './marks.ts'
import type { Objects } from './objects.ts'
import { addressesOf, outcomeOf, RELEASED } from './outcome.ts'
import { type OwnerView, viewOwner } from './owner-view.ts'
import { formatRecord, hasRecord, ID_ANNOTATION, RECORD_ANNOTATION, recordOf } from './record.ts'
import { remove } from './remove.ts'

export interface TencentOptions extends ClaimOptions {
  readonly clusterId: string
  readonly vpcId?: string
  /** Nodes as instances of the cloud, or by address where they are none. */
  readonly nodeTargets: 'instance' | 'address'
  /** How long a target keeps weight 0 before it goes. */
  readonly drainMs: number
  readonly creationTimeoutMs?: number
  readonly creationPollMs?: number
}

export interface TencentDeps {
  readonly api: CloudApi
  readonly objects: Objects
  readonly clock: Clock
  readonly log: Logger
}

/** What is remembered of a load balancer between two calls; lost without harm. */
interface Memory {
  readonly observed: Observed
  readonly zeroSince: ReadonlyMap<string, number>
}

const CREATION_TIMEOUT_MS = 60_000
const CREATION_POLL_MS = 200
const MISSING_RETRY_MS = 300_000

/** Load balancers of Tencent Cloud, as TKE's service controller drives them. */
export const createTencentProvider = (options: TencentOptions, deps: TencentDeps): Provider => new TencentProvider(options, deps)

class TencentProvider implements Provider {
  readonly name = 'tencent'
  readonly supports: Provider['supports'] = new Set(['Nodes', 'Endpoints', 'NoNodePorts', 'Drift'])
  readonly #options: TencentOptions
  readonly #deps: TencentDeps
  readonly #locate: LocateDeps
  readonly #memory = new Map<string, Memory>()
  readonly #knownInstances = new Map<string, string>()

  constructor(options: TencentOptions, deps: TencentDeps) {
    this.#options = options
    this.#deps = deps
    const { vpcId, creationTimeoutMs = CREATION_TIMEOUT_MS, creationPollMs = CREATION_POLL_MS } = options
    this.#locate = { api: deps.api, clock: deps.clock, vpcId, creationTimeoutMs, creationPollMs }
  }

  claim: Provider['claim'] = (service, placed) => claimOf(service, placed, this.#options)

  /** Everything is found when it is asked for; a restart costs one look at each. */
  warm: Provider['warm'] = () => Promise.resolve()

  onChange: Provider['onChange'] = (handler) => this.#deps.objects.onChange(handler)

  async observe(signal: AbortSignal): Promise<readonly ObservedLoadBalancer[]> {
    try {
      const all = await this.#deps.api.describeLoadBalancers({ [CLUSTER_TAG]: this.#options.clusterId }, signal)
      return await Promise.all(all.map((info) => this.#observed(info, signal)))
    } catch (error) {
      throw asFailure(error)
    }
  }

  async #observed(info: LoadBalancerInfo, signal: AbortSignal): Promise<ObservedLoadBalancer> {
    const listeners = await this.#deps.api.listListeners(info.id, signal)
    const uid = info.tags[SERVICE_TAG]
    const kept =
      uid === undefined ? 'it was not made for a Service' : keptBecause(info, { uid, clusterId: this.#options.clusterId })
    return {
      id: info.id,
      key: keyOf(info),
      token: info.tags[TOKEN_TAG],
      addresses: addressesOf(info).map((address) => ('ip' in address ? address.ip : address.hostname)),
      listeners: listeners.map(({ protocol, port }) => ({ protocol, port })),
      isOwned: kept === undefined,
      ...(kept === undefined ? {} : { note: kept }),
    }
  }

  async prune({ id }: ObservedLoadBalancer, signal: AbortSignal): Promise<void> {
    try {
      const info = await this.#deps.api.loadBalancer(id, signal)
      if (info === undefined) return
      const uid = info.tags[SERVICE_TAG] ?? ''
      const kept = keptBecause(info, { uid, clusterId: this.#options.clusterId })
      if (kept !== undefined) throw new LoadBalancerError('refused', `the load balancer ${id} is not deleted: ${kept}`)
      await this.#deps.api.deleteLoadBalancer(id, signal)
    } catch (error) {
      throw asFailure(error)
    }
  }

  async ensure(desired: DesiredLoadBalancer, call: Call): Promise<Outcome> {
    return this.#forgettingFailures(desired, () => this.#ensure(desired, call))
  }

  async remove(desired: DesiredLoadBalancer, call: Call): Promise<Outcome> {
    return this.#forgettingFailures(desired, async () => {
      this.#memory.delete(desired.key)
      const info = await find(this.#locate, desired, call.signal)
      await remove({ api: this.#deps.api, log: this.#deps.log }, { desired, views: desired.owners.map(viewOwner), info }, call)
      await this.#deps.objects.follow(desired.key, { configs: [], secrets: [] }, call.signal)
      return { services: new Map(desired.owners.map(({ uid }) => [uid, RELEASED])) }
    })
  }

  /** After a failure it is not known what was done: the next call reads everything anew. */
  async #forgettingFailures(desired: DesiredLoadBalancer, work: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await work()
    } catch (error) {
      this.#memory.delete(desired.key)
      throw asFailure(error)
    }
  }

  async #ensure(desired: DesiredLoadBalancer, call: Call): Promise<Outcome> {
    const views = desired.owners.map(viewOwner)
    const wanted = views.filter(({ owner }) => owner.state === 'wanted')
    const isUntouched = wanted.every(({ owner }) => !hasRecord(owner.annotations, desired.token))
    if (isUntouched && wanted.every(({ isFrozen }) => isFrozen)) return nothingMade(views)
    const isOwn = meaningOf(desired.key).kind === 'own'
    if (isOwn && !wanted.includes(views.find(({ owner }) => owner === holderOf(desired)) as OwnerView)) return nothingMade(views)
    const info = isOwn ? await this.#own(desired, call) : await this.#existing(desired, views, call)
    if ('problem' in info) return unusable(views, info.problem)
    return this.#converge({ desired, views, ...info, isOwn }, call)
  }

  async #own(desired: DesiredLoadBalancer, call: Call): Promise<Found> {
    const known = this.#memory.get(desired.key)
    if (call.look === 'changed' && known !== undefined)
      return { memory: known, problems: creationProblems(desired, known.observed.info, this.#options) }
    const info = await findOrCreate(this.#locate, desired, call)
    const cluster = info.tags[CLUSTER_TAG]
    if (cluster !== undefined && cluster !== desired.clusterId) {
      const message = `the load balancer ${info.id} is tagged ${CLUSTER_TAG}=${cluster}; nothing of it is changed. Give it back its tag, or make the type ClusterIP and LoadBalancer again for another one`
      return { problem: { reason: 'TagsChanged', message } }
    }
    return { memory: await this.#read(desired.key, info, call), problems: creationProblems(desired, info, this.#options) }
  }

  async #existing(desired: DesiredLoadBalancer, views: readonly OwnerView[], call: Call): Promise<Found> {
    const known = this.#memory.get(desired.key)
    if (call.look === 'changed' && known !== undefined && isNoted(desired)) return { memory: known, problems: [] }
    const info = await find(this.#locate, desired, call.signal)
    const meaning = meaningOf(desired.key)
    const id = meaning.kind === 'existing' ? meaning.id : desired.key
    if (info === undefined) return { problem: { reason: 'LoadBalancerMissing', message: `there is no load balancer ${id}` } }
    const why = unusableBecause(info, { clusterId: desired.clusterId, vpcId: this.#options.vpcId })
    if (why !== undefined)
      return { problem: { reason: 'LoadBalancerUnusable', message: `the load balancer ${id} cannot be used: ${why}` } }
    for (const { owner, isFrozen } of views) {
      if (owner.state !== 'wanted' || isFrozen || hasRecord(owner.annotations, desired.token)) continue
      await call.notes.write(owner.uid, { [RECORD_ANNOTATION]: formatRecord({ token: desired.token, id }), [ID_ANNOTATION]: id })
    }
    const isTagged = info.tags[CLUSTER_TAG] !== undefined || views.every(({ isFrozen }) => isFrozen)
    if (!isTagged) await this.#deps.api.tagLoadBalancer(id, { [CLUSTER_TAG]: desired.clusterId }, call.signal)
    const tagged = isTagged ? info : { ...info, tags: { ...info.tags, [CLUSTER_TAG]: desired.clusterId } }
    return { memory: await this.#read(desired.key, tagged, call), problems: [] }
  }

  async #read(key: string, info: LoadBalancerInfo, { signal }: Call): Promise<Memory> {
    const listeners = await this.#deps.api.describeListeners(info.id, signal)
    return { observed: { info, listeners }, zeroSince: this.#memory.get(key)?.zeroSince ?? new Map() }
  }

  async #converge({ desired, views, memory, problems, isOwn }: Converging, call: Call): Promise<Outcome> {
    const { api, objects, clock } = this.#deps
    const { nodeTargets, drainMs } = this.#options
    const lookups = await lookUp(
      { api, objects, nodeTargets, knownInstances: this.#knownInstances },
      { desired, views },
      call.signal,
    )
    const planFor = ({ info, listeners: present }: Observed) =>
      plan({ views, nodes: desired.nodes, info, present, lookups, nodeTargets, isOwn })
    const converged = await converge({ api, clock, drainMs }, { ...memory, planFor }, call.signal)
    const isClean = converged.failures.size === 0 && converged.refusals.length === 0
    if (isClean) this.#memory.set(desired.key, { observed: converged.observed, zeroSince: converged.zeroSince })
    else this.#memory.delete(desired.key)
    return outcomeOf({ views, converged, problems, isFull: call.look === 'full' })
  }
}

type Found = { readonly memory: Memory; readonly problems: readonly Problem[] } | { readonly problem: Problem }

interface Converging {
  readonly desired: DesiredLoadBalancer
  readonly views: readonly OwnerView[]
  readonly memory: Memory
  readonly problems: readonly Problem[]
  readonly isOwn: boolean
}

const isNoted = ({ owners, token }: DesiredLoadBalancer): boolean =>
  owners.every(({ state, annotations }) => state !== 'wanted' || hasRecord(annotations, token))

const nothingMade = (views: readonly OwnerView[]): Outcome => ({
  services: new Map(
    views.map(({ owner, problems }) => [
      owner.uid,
      owner.state === 'leaving' ? RELEASED : { ingress: owner.ingress, problems, isReleased: false },
    ]),
  ),
})

/** A load balancer of the user's that cannot be used: its Services wait, and those that leave may go. */
const unusable = (views: readonly OwnerView[], problem: Problem): Outcome => ({
  againAfterMs: MISSING_RETRY_MS,
  services: new Map(
    views.map(({ owner, problems }) => [
      owner.uid,
      owner.state === 'leaving' ? RELEASED : { ingress: owner.ingress, problems: [problem, ...problems], isReleased: false },
    ]),
  ),
})

/** What was edited after it could count, and marks that somebody took away. */
const creationProblems = (
  desired: DesiredLoadBalancer,
  info: LoadBalancerInfo,
  { vpcId }: TencentOptions,
): readonly Problem[] => {
  const holder = holderOf(desired)
  if (holder === undefined) return []
  const record = recordOf(holder.annotations, desired.token)
  // Of one that was only just made, the record in hand is of the time before.
  const made = record?.id === undefined ? undefined : record.create
  const { settings } = viewOwner(holder)
  const changed = made === undefined ? [] : differences(made, creationParams({ desired, owner: holder, settings, vpcId }))
  const lost = [CREATED_BY_TAG, CLUSTER_TAG].filter((tag) => info.tags[tag] === undefined)
  return [
    ...(changed.length === 0 ? [] : [onlyAtCreation(changed)]),
    ...(lost.length === 0
      ? []
      : [
          {
            reason: 'TagsChanged',
            message: `the load balancer ${info.id} has lost its tags ${lost.join(', ')}; it still serves, and will not be deleted with the Service unless they are put back`,
          },
        ]),
  ]
}

const onlyAtCreation = (names: readonly string[]): Problem =>
  names.some((name) => name === 'LoadBalancerType' || name === 'SubnetId')
    ? {
        reason: 'UnsafeSwitch',
        message: `public and internal, or the subnet, cannot be changed on a load balancer that is there (${names.join(', ')}); nothing is changed. Make the type ClusterIP, wait until it is released, then LoadBalancer again`,
      }
    : {
        reason: 'OnlyAtCreation',
        message: `${names.join(', ')} of a load balancer can be given only when it is made; nothing is changed`,
      }
