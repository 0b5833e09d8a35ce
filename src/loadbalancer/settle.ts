import type { Service, ServiceStatus } from '../api/index.ts'
import type { Clock } from '../base/index.ts'
import type { LoadBalancerEvents } from './events.ts'
import type { Memory } from './memory.ts'
import type { LoadBalancerMetrics } from './metrics.ts'
import type { LoadBalancerKey, Outcome, Problem } from './provider.ts'
import type { ServiceWriter } from './service-writer.ts'
import type { Member, Members } from './snapshot.ts'
import { clearedStatus, nextStatus, READY_CONDITION } from './status.ts'

export interface SettleDeps {
  readonly services: ServiceWriter
  readonly events: LoadBalancerEvents
  readonly metrics: LoadBalancerMetrics
  readonly clock: Clock
}

export interface Settlement {
  readonly key: LoadBalancerKey
  readonly memory: Memory
  readonly members: Members
  readonly outcome: Outcome
}

/** Writes on the Services what the provider answered, where it is not there yet, and lets go of those that have left. */
export const settle = async (deps: SettleDeps, { key, memory, members, outcome }: Settlement): Promise<void> => {
  tellRepairs(deps, members, memory)
  for (const member of members.staying) await settleStaying(deps, { member, memory, outcome })
  const isSettled = members.staying.every(({ service }) => isServed(outcome, service.metadata.uid))
  if (isSettled && memory.essence !== undefined) memory.toldIntent = memory.essence.intent
  for (const { service, membership } of members.leaving) {
    if (outcome.services.get(service.metadata.uid ?? '')?.isReleased !== true) continue
    const movesOn = membership.wants !== undefined && membership.wants !== key
    await letGo(deps, { service, membership }, movesOn)
  }
}

interface Staying {
  readonly member: Member
  readonly memory: Memory
  readonly outcome: Outcome
}

const settleStaying = async ({ services, events, clock }: SettleDeps, { member, memory, outcome }: Staying): Promise<void> => {
  const { namespace = '', name, uid = '' } = member.service.metadata
  const own = outcome.services.get(uid)
  const present = services.get(namespace, name)
  if (own === undefined || present?.metadata.uid !== uid) return
  const service = own.annotations === undefined ? present : await services.annotate(present, own.annotations)
  const problems = [...member.membership.problems, ...own.problems]
  const status = nextStatus(service.status, { ingress: own.ingress, problems, now: timestamp(clock) })
  if (status !== undefined) {
    const news = isNews(service.status, status) ? problems : []
    const written = await services.setStatus(service, status)
    for (const problem of news) events.problem(written, problem)
  }
  if (isServed(outcome, uid) && memory.toldIntent !== memory.essence?.intent) events.ensured(service)
}

/** Only the user can mend it: said in the status, and once as Events. */
export const settleRefused = async (
  { services, events, clock }: SettleDeps,
  service: Service,
  problems: readonly Problem[],
): Promise<void> => {
  const ingress = service.status?.loadBalancer?.ingress ?? []
  const status = nextStatus(service.status, { ingress, problems, now: timestamp(clock) })
  if (status === undefined) return
  const isTold = !isNews(service.status, status)
  const written = await services.setStatus(service, status)
  if (!isTold) for (const problem of problems) events.problem(written, problem)
}

const isServed = ({ services }: Outcome, uid = ''): boolean => {
  const own = services.get(uid)
  return own !== undefined && own.ingress.length > 0 && own.problems.length === 0
}

/** Problems are told once: the condition remembers them, across restarts too. */
const isNews = (before: ServiceStatus | undefined, after: ServiceStatus): boolean => {
  const ready = (status: ServiceStatus | undefined) => status?.conditions?.find(({ type }) => type === READY_CONDITION)
  const [was, is] = [ready(before), ready(after)]
  return was?.reason !== is?.reason || was?.message !== is?.message
}

const letGo = async ({ services, events }: SettleDeps, { service }: Member, movesOn: boolean): Promise<void> => {
  const { namespace = '', name, uid } = service.metadata
  const present = services.get(namespace, name)
  if (present?.metadata.uid !== uid || present === undefined) return
  const status = present.metadata.deletionTimestamp === undefined ? clearedStatus(present.status) : undefined
  const cleared = status === undefined ? present : await services.setStatus(present, status)
  // Before the finalizer goes: an Event about what is gone is of no use to anybody.
  events.deleted(cleared)
  await services.release(cleared, movesOn)
}

/** Each once: the outcome is kept for later rounds. */
const tellRepairs = ({ events, metrics }: SettleDeps, { staying }: Members, memory: Memory): void => {
  const { repaired, ...rest } = memory.outcome ?? { services: new Map() }
  if (repaired === undefined) return
  memory.outcome = rest
  metrics.repairs.inc(repaired.length)
  for (const what of repaired) for (const { service } of staying) events.repaired(service, what)
}

/** As Kubernetes writes times. */
export const timestamp = (clock: Clock): string => new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
