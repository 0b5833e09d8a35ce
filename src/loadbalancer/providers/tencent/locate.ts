import { type Clock, createBackoff, sleep } from '../../../base/index.ts'
import { LoadBalancerError } from '../../errors.ts'
import type { Call, DesiredLoadBalancer, Owner } from '../../provider.ts'
import { readAnnotations } from './annotations/index.ts'
import { type CloudApi, isCloudError, type LoadBalancerInfo } from './client/index.ts'
import { type CreationParams, creationParams } from './creation.ts'
import { CLUSTER_TAG, meaningOf, SERVICE_TAG } from './marks.ts'
import { formatRecord, ID_ANNOTATION, type LoadBalancerRecord, RECORD_ANNOTATION, recordOf } from './record.ts'

export interface LocateDeps {
  readonly api: CloudApi
  readonly clock: Clock
  readonly vpcId: string | undefined
  /** How long a load balancer may take to be made. */
  readonly creationTimeoutMs: number
  /** Before it is asked for again the first time. */
  readonly creationPollMs: number
}

/** The owner that a load balancer is made for, and on which its record is. */
export const holderOf = ({ key, owners }: DesiredLoadBalancer): Owner | undefined => {
  const meaning = meaningOf(key)
  return meaning.kind === 'own' ? owners.find(({ uid }) => uid === meaning.uid) : owners[0]
}

/** The load balancer that is there, made by any run; undefined when there is none. Reads only. */
export const find = async (
  deps: LocateDeps,
  desired: DesiredLoadBalancer,
  signal: AbortSignal,
): Promise<LoadBalancerInfo | undefined> => {
  const meaning = meaningOf(desired.key)
  if (meaning.kind === 'unknown') return undefined
  if (meaning.kind === 'existing') return deps.api.loadBalancer(meaning.id, signal)
  const holder = holderOf(desired)
  if (holder === undefined) return undefined
  const id = recordOf(holder.annotations, desired.token)?.id
  if (id !== undefined) return deps.api.loadBalancer(id, signal)
  const tagged = await deps.api.loadBalancersTagged(SERVICE_TAG, meaning.uid, signal)
  const found = tagged.filter(({ tags }) => tags[CLUSTER_TAG] === desired.clusterId)
  if (found.length < 2) return found[0]
  const ids = found.map((each) => each.id).sort()
  throw new LoadBalancerError(
    'refused',
    `the load balancers ${ids.join(', ')} are all tagged ${SERVICE_TAG}=${meaning.uid}; take the tag away from all but one`,
    {
      reason: 'SeveralLoadBalancers',
    },
  )
}

/** Finds the load balancer of one Service, or makes it, so that no crash and no lost answer makes a second. Rejects with `gone` when it was there once. */
export const findOrCreate = async (deps: LocateDeps, desired: DesiredLoadBalancer, call: Call): Promise<LoadBalancerInfo> => {
  const holder = holderOf(desired)
  if (holder === undefined) throw new Error(`${desired.key} without its Service`)
  const record = recordOf(holder.annotations, desired.token)
  const found = await find(deps, desired, call.signal)
  if (found === undefined && record?.id !== undefined) {
    const message = `the load balancer ${record.id} is not there any more: somebody deleted it. Another one is made, which has another address`
    throw new LoadBalancerError('gone', message, { reason: 'LoadBalancerGone' })
  }
  const made =
    found === undefined ? await create(deps, { desired, holder, record }, call) : { id: found.id, create: record?.create }
  if (record?.id !== made.id) await note(call, holder, { ...made, token: desired.token })
  return found?.isReady === true ? found : whenReady(deps, made.id, call.signal)
}

const note = (call: Call, holder: Owner, record: LoadBalancerRecord): Promise<void> =>
  call.notes.write(holder.uid, {
    [RECORD_ANNOTATION]: formatRecord(record),
    ...(record.id === undefined ? {} : { [ID_ANNOTATION]: record.id }),
  })

interface Made {
  readonly id: string
  readonly create: LoadBalancerRecord['create']
}

interface Creating {
  readonly desired: DesiredLoadBalancer
  readonly holder: Owner
  readonly record: LoadBalancerRecord | undefined
}

/**
 * The request is written down before it is sent: a repeat after a crash is the same request with the same token, which makes nothing new.
 * One that was written down and may be refused is asked once more before another takes its place.
 */
const create = async (deps: LocateDeps, { desired, holder, record }: Creating, call: Call): Promise<Made> => {
  const { settings } = readAnnotations(holder.annotations)
  const wanted = creationParams({ desired, owner: holder, settings, vpcId: deps.vpcId })
  const before = record?.create
  const isNew = before === undefined || JSON.stringify(before) !== JSON.stringify(wanted)
  if (before !== undefined && isNew) {
    const id = await createUnlessRefused(deps, { ...before, ClientToken: wanted.ClientToken }, call.signal)
    if (id !== undefined) return { id, create: before }
  }
  if (isNew) await note(call, holder, { token: desired.token, create: wanted })
  return { id: await deps.api.createLoadBalancer(wanted, call.signal), create: wanted }
}

const createUnlessRefused = async (
  { api }: LocateDeps,
  params: CreationParams,
  signal: AbortSignal,
): Promise<string | undefined> => {
  try {
    return await api.createLoadBalancer(params, signal)
  } catch (error) {
    if (!isCloudError(error, 'refused', 'quota', 'gone', 'failed')) throw error
    return undefined
  }
}

/** What was just made may not be told of for a moment. */
const MAX_MISSES = 5

const whenReady = async (deps: LocateDeps, id: string, signal: AbortSignal): Promise<LoadBalancerInfo> => {
  const backoff = createBackoff({ initialMs: deps.creationPollMs, maxMs: 3_000, factor: 1.6, jitter: 0.1 })
  const until = deps.clock.monotonic() + deps.creationTimeoutMs
  for (let misses = 0; ; ) {
    const info = await deps.api.loadBalancer(id, signal)
    if (info?.isReady === true) return info
    if (info === undefined && ++misses === MAX_MISSES)
      throw new LoadBalancerError('gone', `the cloud did not make the load balancer ${id} after all; another one is made`, {
        reason: 'LoadBalancerGone',
      })
    if (deps.clock.monotonic() >= until) {
      throw new LoadBalancerError('retry-after', `the load balancer ${id} is still being created`, { retryAfterMs: 5_000 })
    }
    await sleep(deps.clock, backoff.next(), signal)
    signal.throwIfAborted()
  }
}
