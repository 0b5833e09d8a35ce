import { type Batcher, createBatcher } from './batcher.ts'
import type { Caller } from './caller.ts'
import { CloudError } from './errors.ts'
import { defined, type Json, numberIn, recordsIn, textIn, textsIn } from './json.ts'
import type { LoadBalancerInfo } from './model.ts'
import { readLoadBalancer } from './read.ts'
import type { Answer } from './transport.ts'

export interface AttributeChanges {
  readonly passToTarget?: boolean
  /** Mbps. */
  readonly bandwidth?: number
}

const MAX_KEYS = 20
const PAGE = 100
const DESCRIBE = 'DescribeLoadBalancers'

/** `life` ends what was asked for several callers together. */
export const loadBalancerCalls = (caller: Caller, life: AbortSignal) => ({
  ...lookups(caller, life),
  /** Those with all of these tags. */
  describeLoadBalancers: (tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<readonly LoadBalancerInfo[]> =>
    describePages(
      caller,
      { Filters: Object.entries(tags).map(([key, value]) => ({ Name: `tag:${key}`, Values: [value] })) },
      signal,
    ),
  /**
   * Makes one, or finds the one that the same `ClientToken` made; resolves with its id when it is made, which does not yet mean that it is ready.
   * `params` are those of the API.
   */
  async createLoadBalancer(params: Json & { readonly ClientToken: string }, signal: AbortSignal): Promise<string> {
    const call = { service: 'clb', action: 'CreateLoadBalancer', params } as const
    const answer = await caller.repeatable(call, signal)
    return createdId(caller, answer, signal)
  },
  async modifyLoadBalancer(id: string, changes: AttributeChanges, signal: AbortSignal): Promise<void> {
    const { passToTarget, bandwidth } = changes
    const InternetChargeInfo = bandwidth === undefined ? undefined : { InternetMaxBandwidthOut: bandwidth }
    const params = { LoadBalancerId: id, ...defined({ LoadBalancerPassToTarget: passToTarget, InternetChargeInfo }) }
    await caller.write(id, { service: 'clb', action: 'ModifyLoadBalancerAttributes', params }, signal)
  },
  /** The whole set. */
  async setSecurityGroups(id: string, groups: readonly string[], signal: AbortSignal): Promise<void> {
    const params = { LoadBalancerId: id, SecurityGroups: groups }
    await caller.writeAtOnce(id, { service: 'clb', action: 'SetLoadBalancerSecurityGroups', params }, signal)
  },
  /** With all its listeners; the caller has seen to it that it may go. */
  async deleteLoadBalancer(id: string, signal: AbortSignal): Promise<void> {
    const params = { LoadBalancerIds: [id], ForceDelete: true }
    await caller.write(id, { service: 'clb', action: 'DeleteLoadBalancer', params }, signal)
  },
})

/** What many ask for one by one goes in calls for many: each counts against the limit. */
const lookups = (caller: Caller, life: AbortSignal) => {
  const turn = (): Promise<void> => caller.free(DESCRIBE, life)
  const byId = createBatcher<LoadBalancerInfo>({
    max: MAX_KEYS,
    turn,
    run: async (ids) => new Map((await describeByIds(caller, ids, life)).map((info) => [info.id, info])),
  })
  const byTag = new Map<string, Batcher<readonly LoadBalancerInfo[]>>()
  const batcherOf = (key: string): Batcher<readonly LoadBalancerInfo[]> => {
    const known = byTag.get(key)
    if (known !== undefined) return known
    const run = async (values: readonly string[]) =>
      byValue(key, await describePages(caller, { Filters: [{ Name: `tag:${key}`, Values: values }] }, life))
    const made = createBatcher<readonly LoadBalancerInfo[]>({ max: MAX_KEYS, turn, run })
    byTag.set(key, made)
    return made
  }
  return {
    /** Undefined when there is none. */
    loadBalancer: (id: string, signal: AbortSignal): Promise<LoadBalancerInfo | undefined> => byId.load(id, signal),
    /** Those with this value of a tag. */
    loadBalancersTagged: async (key: string, value: string, signal: AbortSignal): Promise<readonly LoadBalancerInfo[]> =>
      (await batcherOf(key).load(value, signal)) ?? [],
  }
}

const byValue = (key: string, all: readonly LoadBalancerInfo[]): ReadonlyMap<string, readonly LoadBalancerInfo[]> => {
  const found = new Map<string, LoadBalancerInfo[]>()
  for (const info of all) {
    const value = info.tags[key] ?? ''
    found.set(value, [...(found.get(value) ?? []), info])
  }
  return found
}

const describePages = async (caller: Caller, query: Json, signal: AbortSignal): Promise<readonly LoadBalancerInfo[]> => {
  const found: LoadBalancerInfo[] = []
  for (let Offset = 0; ; Offset += PAGE) {
    const params = { ...query, Offset, Limit: PAGE }
    const { response } = await caller.repeatable({ service: 'clb', action: DESCRIBE, params }, signal)
    const page = recordsIn(response, 'LoadBalancerSet')
    found.push(...page.flatMap((json) => readLoadBalancer(json) ?? []))
    if (page.length < PAGE || found.length >= (numberIn(response, 'TotalCount') ?? 0)) return found
  }
}

/** One id that is not there makes the API refuse the whole call. */
const describeByIds = async (
  caller: Caller,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly LoadBalancerInfo[]> => {
  try {
    return await describePages(caller, { LoadBalancerIds: ids }, signal)
  } catch (error) {
    if (!(error instanceof CloudError) || error.failure !== 'gone') throw error
    if (ids.length === 1) return []
    const found: LoadBalancerInfo[] = []
    for (const id of ids) found.push(...(await describeByIds(caller, [id], signal)))
    return found
  }
}

/** Slow creations are answered without an id; their task knows it. */
const createdId = async (caller: Caller, { response }: Answer, signal: AbortSignal): Promise<string> => {
  const [id] = textsIn(response, 'LoadBalancerIds')
  if (id !== undefined) return id
  const DealName = textIn(response, 'DealName')
  const ended = DealName === undefined ? undefined : await caller.waitForTask({ DealName }, 'CreateLoadBalancer', signal)
  const [late] = ended === undefined ? [] : textsIn(ended.response, 'LoadBalancerIds')
  if (late !== undefined) return late
  throw new CloudError('unavailable', 'CreateLoadBalancer: the answer has no id', { action: 'CreateLoadBalancer', code: '' })
}
