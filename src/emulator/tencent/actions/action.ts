import { CloudError, noLoadBalancer, unsupported } from '../errors.ts'
import type { Inventory } from '../inventory.ts'
import type { Listener, LoadBalancer, Rule, Target } from '../model.ts'
import type { Quotas } from '../quotas.ts'
import type { Of, Optional, Shape } from '../shape.ts'
import { type Event, lockHolder, type State } from '../state.ts'

export type Health = 'Alive' | 'Dead' | 'Unknown' | 'Close'

/** What a decision needs besides the state and the request. */
export interface Context {
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  readonly requestId: string
  readonly region: string
  readonly uin: string
  readonly inventory: Inventory
  readonly quotas: Quotas
  /** Public load balancers get a name instead of an address. */
  readonly isDomainType: boolean
  /** Makes an identifier such as `lb-1a2b3c4d`. */
  newId(prefix: string): string
  /** A free address for a load balancer; undefined when there is none, or when the wanted one is not free. */
  freeVip(taken: ReadonlySet<string>, wanted?: string): string | undefined
  hasCertificate(id: string): boolean
  healthOf(group: Listener | Rule, target: Target): Health
  /** A fault that was asked for: of a batch, so many listeners fail. */
  readonly failingListeners: number
}

export interface Outcome {
  readonly response: Readonly<Record<string, unknown>>
  readonly events: readonly Event[]
}

/** One action of the API: reads its request, and decides. Both throw `CloudError`. */
export interface Action {
  readonly run: (state: State, request: unknown, context: Context) => Outcome
}

export const action = <S extends Shape<unknown>>(
  shape: S,
  decide: (state: State, request: Of<S>, context: Context) => Outcome,
): Action => ({
  // The shape reads what its own type says.
  run: (state, request, context) => decide(state, shape.read(request, '') as Of<S>, context),
})

/** A documented parameter that this cloud does not model: refused rather than ignored. */
export const notModelled: Optional<never> = {
  read: (value, at) => {
    if (value === undefined || value === null) return undefined
    throw unsupported(`The emulator does not model \`${at}\`.`)
  },
  isOptional: true,
}

export const existing = (state: State, id: string): LoadBalancer => {
  const found = state.loadBalancers.get(id)
  if (found === undefined) throw noLoadBalancer(id)
  return found
}

/** A load balancer that may be changed now: one that is there, is made, and that no task is at work on. */
export const unlocked = (state: State, id: string): LoadBalancer => {
  const found = existing(state, id)
  if (!found.isReady) throw new CloudError('FailedOperation.InvalidLBStatus', `LoadBalancer ${id} is being created.`)
  if (lockHolder(state, id) !== undefined)
    throw new CloudError('FailedOperation.ResourceInOperating', `LoadBalancer ${id} is in operating, please try again later.`)
  return found
}

interface TaskToStart {
  readonly action: string
  readonly outcome: Readonly<Record<string, LoadBalancer | null>>
  readonly response?: Readonly<Record<string, unknown>>
  readonly dealName?: string
  /** What happens at once. */
  readonly events?: readonly Event[]
}

/** Accepts a write: it holds the locks of its load balancers until its task ends. */
export const startTask = ({ now, requestId }: Context, { response = {}, events = [], ...task }: TaskToStart): Outcome => ({
  response,
  events: [
    ...events,
    {
      task: requestId,
      to: {
        id: requestId,
        action: task.action,
        loadBalancerIds: Object.keys(task.outcome),
        startedAt: now,
        status: 'running',
        message: '',
        outcome: task.outcome,
        ...(task.dealName !== undefined && { dealName: task.dealName }),
      },
    },
  ],
})

/** A write that is done when it is answered; its TaskId is known all the same. */
export const doneAtOnce = (
  { now, requestId }: Context,
  done: { readonly action: string; readonly loadBalancerIds: readonly string[]; readonly events: readonly Event[] },
  response: Readonly<Record<string, unknown>> = {},
): Outcome => ({
  response,
  events: [
    ...done.events,
    {
      task: requestId,
      to: {
        id: requestId,
        action: done.action,
        loadBalancerIds: done.loadBalancerIds,
        startedAt: now,
        status: 'succeeded',
        message: '',
      },
    },
  ],
})

export const answer = (response: Readonly<Record<string, unknown>>): Outcome => ({ response, events: [] })

export const replaceListener = (loadBalancer: LoadBalancer, listener: Listener): LoadBalancer => ({
  ...loadBalancer,
  listeners: loadBalancer.listeners.map((one) => (one.id === listener.id ? listener : one)),
})
