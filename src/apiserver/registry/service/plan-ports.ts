import type { Problem, Service, ServicePort, ServiceSpec } from '../../../api/index.ts'
import { nodePortKey, type Protocol } from '../../allocators/index.ts'
import { claimedPorts, claimId, isHealthChecked, mayHaveNodePorts, needsNodePorts, type PortClaim, protocolOf } from './claims.ts'
import { isOwnedBy, type Ledger, type PlanContext } from './ledger.ts'

/**
 * Claims the node ports that `service` asks for, fills in those that it needs and does not name, and gives back those of `old` that it
 * no longer has. Adds to the ledger; throws when the range is full.
 */
export const planPorts = async (context: PlanContext, service: Service, old: Service | undefined): Promise<Service> => {
  const { ledger } = context
  const held = new Set(claimedPorts(old).map(claimId))
  for (const claim of claimedPorts(service)) {
    if (held.has(claimId(claim))) continue
    const problem = await claimPort(context, service, claim)
    if (problem !== undefined) ledger.problems.push(problem)
    else ledger.reservePort(claim.protocol, claim.port)
  }
  if (ledger.problems.length > 0) return service
  const filled = withHealthCheckPort(context, withNodePorts(context, service))
  const wanted = new Set(claimedPorts(filled).map(claimId))
  const before = new Set([...held, ...claimedPorts(service).map(claimId)])
  for (const claim of claimedPorts(filled)) if (!before.has(claimId(claim))) putPort(ledger, filled, claim)
  for (const claim of claimedPorts(old)) if (!wanted.has(claimId(claim))) await releasePort(context, old, claim)
  return filled
}

const claimPort = async (context: PlanContext, service: Service, claim: PortClaim): Promise<Problem | undefined> => {
  const { allocators, store, ledger } = context
  const { from, to } = allocators.ports.range
  if (!allocators.ports.contains(claim.port)) {
    return refusal(claim, `provided port is not in the valid range. The range of valid ports is ${from}-${to}`)
  }
  const entry = await store.get(nodePortKey(claim.protocol, claim.port))
  if (entry === undefined) {
    putPort(ledger, service, claim)
    return undefined
  }
  if (!isOwnedBy(entry.value, service)) return refusal(claim, 'provided port is already allocated')
  ledger.conditions.push({ key: entry.key, modRevision: entry.modRevision })
  return undefined
}

const refusal = ({ path, port }: PortClaim, detail: string): Problem => ({ path, type: 'Invalid', value: port, detail })

const putPort = (ledger: Ledger, service: Service, { protocol, port }: Pick<PortClaim, 'protocol' | 'port'>): void => {
  const key = nodePortKey(protocol, port)
  const { namespace, name } = service.metadata
  ledger.conditions.push({ key, modRevision: 0 })
  ledger.writes.push({ type: 'put', key, value: Buffer.from(JSON.stringify({ namespace, name })) })
}

const releasePort = async ({ store, ledger }: PlanContext, old: Service | undefined, claim: PortClaim): Promise<void> => {
  const entry = await store.get(nodePortKey(claim.protocol, claim.port))
  if (entry === undefined || old === undefined || !isOwnedBy(entry.value, old)) return
  ledger.conditions.push({ key: entry.key, modRevision: entry.modRevision })
  ledger.writes.push({ type: 'delete', key: entry.key })
}

const withNodePorts = (context: PlanContext, service: Service): Service => {
  const { spec } = service
  if (!needsNodePorts(spec) || spec.ports === undefined) return service
  const ports = [...spec.ports]
  for (const [index, port] of ports.entries()) {
    if ((port.nodePort ?? 0) !== 0) continue
    ports[index] = { ...port, nodePort: numberFor(context, port, ports) }
  }
  return { ...service, spec: { ...spec, ports } }
}

/** The same port with another protocol (DNS over TCP and UDP) gets the same number where that is free. */
const numberFor = (context: PlanContext, port: ServicePort, all: readonly ServicePort[]): number => {
  const { allocators, ledger } = context
  const protocol = protocolOf(port)
  const twins = all.filter((other) => other !== port && other.port === port.port && protocolOf(other) !== protocol)
  const shared = twins.find((twin) => (twin.nodePort ?? 0) !== 0)?.nodePort ?? 0
  if (shared !== 0 && allocators.ports.contains(shared) && allocators.ports.isFree(protocol, shared)) {
    ledger.reservePort(protocol, shared)
    return shared
  }
  const unnumbered = twins.filter((twin) => (twin.nodePort ?? 0) === 0).map(protocolOf)
  return pick(context, shared === 0 ? [protocol, ...unnumbered] : [protocol], protocol)
}

/** A number that is free for all of `protocols` if there is one, and reserved for `own` alone. */
const pick = ({ allocators, ledger }: PlanContext, protocols: readonly Protocol[], own: Protocol): number => {
  const unique = [...new Set(protocols)]
  const together = allocators.ports.pick(unique)
  if (together !== undefined) {
    for (const protocol of unique) if (protocol !== own) allocators.ports.unreserve(protocol, together)
    ledger.adoptPort(own, together)
    return together
  }
  const alone = unique.length > 1 ? allocators.ports.pick([own]) : undefined
  if (alone === undefined) throw ledger.full('failed to allocate a nodePort: range is full')
  ledger.adoptPort(own, alone)
  return alone
}

const withHealthCheckPort = (context: PlanContext, service: Service): Service => {
  const { spec } = service
  if (!mayHaveNodePorts(spec) || !isHealthChecked(spec) || (spec.healthCheckNodePort ?? 0) !== 0) return service
  const withPort: ServiceSpec = { ...spec, healthCheckNodePort: pick(context, ['TCP'], 'TCP') }
  return { ...service, spec: withPort }
}
