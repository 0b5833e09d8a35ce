import type { Caller } from './caller.ts'
import { listenerCalls } from './listener-calls.ts'
import { loadBalancerCalls } from './load-balancer-calls.ts'
import { ruleCalls } from './rule-calls.ts'
import { type TagOptions, tagCalls } from './tag-calls.ts'
import { targetCalls } from './target-calls.ts'

/** The actions that are used, one function each; limits of the API on a call's size are kept by several calls. */
export type CloudApi = ReturnType<typeof createCloudApi>

export const createCloudApi = (caller: Caller, options: TagOptions, life: AbortSignal) => ({
  ...loadBalancerCalls(caller, life),
  ...listenerCalls(caller),
  ...ruleCalls(caller),
  ...targetCalls(caller),
  ...tagCalls(caller, options),
})
