import type { Caller } from './caller.ts'
import { CloudError } from './errors.ts'
import { defined, type Json, numberIn, recordsIn, textIn, textsIn } from './json.ts'
import type { LoadBalancerInfo } from './model.ts'
import { chunks } from './params.ts'
import { readLoadBalancer } from './read.ts'
import type { Answer } from './transport.ts'

/** Which load balancers: those with these ids, or those with these tags. */
export type LoadBalancerQuery = { readonly ids: readonly string[] } | { readonly tags: Readonly<Record<string, string>> }

export interface AttributeChanges {
  readonly passToTarget?: boolean
  /** Mbps. */
  readonly bandwidth?: number
}

const MAX_IDS = 20
const PAGE = 100

export const loadBalancerCalls = (caller: Caller) => ({
  /** Those that are there; what is not there is left out. */
  async describeLoadBalancers(query: LoadBalancerQuery, signal: AbortSignal): Promise<readonly LoadBalancerInfo[]> {
    if ('tags' in query) {
      const Filters = Object.entries(query.tags).map(([key, value]) => ({ Name: `tag:${key}`, Values: [value] }))
      return describePages(caller, { Filters }, signal)
    }
    const found: LoadBalancerInfo[] = []
    for (const LoadBalancerIds of chunks(query.ids, MAX_IDS))
      found.push(...(await describeByIds(caller, LoadBalancerIds, signal)))
    return found
  },
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

const describePages = async (caller: Caller, query: Json, signal: AbortSignal): Promise<readonly LoadBalancerInfo[]> => {
  const found: LoadBalancerInfo[] = []
  for (let Offset = 0; ; Offset += PAGE) {
    const params = { ...query, Offset, Limit: PAGE }
    const { response } = await caller.repeatable({ service: 'clb', action: 'DescribeLoadBalancers', params }, signal)
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
