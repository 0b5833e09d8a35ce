import { type Condition, type LoadBalancerIngress, type ServiceStatus, sameValue } from '../api/index.ts'
import type { Problem } from './provider.ts'

/** Whether the Service has its load balancer, and if not, why. */
export const READY_CONDITION = 'loadbalancer.fairway.dev/Ready'
/** Upstream's: some port is not served. */
const PORTS_ERROR_CONDITION = 'LoadBalancerPortsError'

export interface StatusInput {
  readonly ingress: readonly LoadBalancerIngress[]
  readonly problems: readonly Problem[]
  /** ISO 8601 with seconds; only used where a condition turns. */
  readonly now: string
}

/** The status to write; undefined when the present one says the same. Conditions of others stay. */
export const nextStatus = (present: ServiceStatus | undefined, input: StatusInput): ServiceStatus | undefined => {
  const before = present?.conditions ?? []
  const wanted = [readyCondition(input), portsCondition(before, input)].filter((condition) => condition !== undefined)
  const conditions = wanted.reduce((all, condition) => withCondition(all, condition, input.now), before)
  const ingress = [...input.ingress]
  if (sameValue(present?.loadBalancer?.ingress, ingress) && sameValue(before, conditions)) return undefined
  return { ...present, loadBalancer: { ingress }, conditions: [...conditions] }
}

/** Without anything that a load balancer said; undefined when there is nothing of it. */
export const clearedStatus = (present: ServiceStatus | undefined): ServiceStatus | undefined => {
  const before = present?.conditions ?? []
  const conditions = before.filter(({ type }) => type !== READY_CONDITION && type !== PORTS_ERROR_CONDITION)
  const hasIngress = (present?.loadBalancer?.ingress ?? []).length > 0
  if (!hasIngress && conditions.length === before.length) return undefined
  return { ...present, loadBalancer: { ingress: [] }, conditions: [...conditions] }
}

type Statement = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

const readyCondition = ({ ingress, problems }: StatusInput): Statement => {
  const [problem] = problems
  if (problem !== undefined) {
    const message = problems.map((each) => each.message).join('; ')
    return { type: READY_CONDITION, status: 'False', reason: problem.reason, message }
  }
  if (ingress.length === 0) {
    return { type: READY_CONDITION, status: 'False', reason: 'Pending', message: 'the load balancer has no address yet' }
  }
  return { type: READY_CONDITION, status: 'True', reason: 'Ensured', message: 'the load balancer is as wanted' }
}

/** Told when there is something wrong, and when it is put right. */
const portsCondition = (before: readonly Condition[], { ingress }: StatusInput): Statement | undefined => {
  const bad = (ingress[0]?.ports ?? []).filter(({ error }) => error !== undefined)
  const [first] = bad
  if (first !== undefined) {
    const message = bad.map(({ port, protocol, error }) => `${protocol} ${port}: ${error}`).join('; ')
    return { type: PORTS_ERROR_CONDITION, status: 'True', reason: wordOf(first.error), message }
  }
  if (!before.some(({ type }) => type === PORTS_ERROR_CONDITION)) return undefined
  return { type: PORTS_ERROR_CONDITION, status: 'False', reason: 'PortsServed', message: 'every port is served' }
}

/** A condition's reason is one word; an error may be a label such as `example.com/PortConflict`. */
const wordOf = (error = ''): string => error.slice(error.lastIndexOf('/') + 1) || 'Error'

const withCondition = (all: readonly Condition[], statement: Statement, now: string): readonly Condition[] => {
  const known = all.find(({ type }) => type === statement.type)
  const lastTransitionTime = known?.status === statement.status ? known.lastTransitionTime : now
  const condition = { ...known, ...statement, lastTransitionTime }
  return known === undefined ? [...all, condition] : all.map((each) => (each === known ? condition : each))
}
