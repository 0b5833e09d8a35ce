import { type Node, parseQuantity } from '../../api/index.ts'

/** Which part of the cluster's processors each zone has; or why that cannot be said. */
export type ZoneShares =
  | { readonly kind: 'shares'; readonly byZone: ReadonlyMap<string, number> }
  | { readonly kind: 'unknown'; readonly why: string }

const ZONE_LABEL = 'topology.kubernetes.io/zone'
/** Such nodes run no workload that clients reach (KEP-2433, "Excluding Control Plane Nodes"). */
const CONTROL_PLANE_LABELS = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']

/** The zones' shares of allocatable CPU on ready nodes (KEP-2433): of all nodes or of none. */
export const zoneShares = (nodes: readonly Node[]): ZoneShares => {
  const cores = new Map<string, number>()
  for (const node of nodes.filter(takesPart)) {
    const zone = node.metadata.labels?.[ZONE_LABEL] ?? ''
    const cpu = cpuOf(node)
    if (zone === '') return { kind: 'unknown', why: `Node ${node.metadata.name} has no zone label` }
    if (cpu <= 0) return { kind: 'unknown', why: `Node ${node.metadata.name} tells no allocatable cpu` }
    cores.set(zone, (cores.get(zone) ?? 0) + cpu)
  }
  if (cores.size < 2) return { kind: 'unknown', why: 'ready nodes are in fewer than two zones' }
  const total = [...cores.values()].reduce((sum, each) => sum + each, 0)
  return { kind: 'shares', byZone: new Map([...cores].sort().map(([zone, each]) => [zone, each / total])) }
}

const takesPart = ({ metadata, status }: Node): boolean =>
  !CONTROL_PLANE_LABELS.some((label) => metadata.labels?.[label] !== undefined) &&
  (status?.conditions ?? []).some(({ type, status: state }) => type === 'Ready' && state === 'True')

/** In thousandths of a processor. */
const cpuOf = ({ status }: Node): number => Number((parseQuantity(status?.allocatable?.['cpu'] ?? 0) ?? 0n) / 10n ** 15n)

/** How many endpoints a zone may be given. */
interface Bounds {
  readonly wanted: number
  readonly least: number
}

/** An endpoint to be given to a zone. */
export interface ZonedEndpoint {
  /** Stable name of it. */
  readonly id: string
  readonly zone: string | undefined
  /** The zone that it was given to before. */
  readonly before: string | undefined
}

export type ZoneAllocation =
  | { readonly kind: 'allocated'; readonly byId: ReadonlyMap<string, string> }
  | { readonly kind: 'refused'; readonly why: string }

/** A zone may get so much less than its share before the others carry too much (KEP-2433, "Overload"). */
const OVERLOAD_THRESHOLD = 0.2

/**
 * Gives every endpoint to one zone, so that each zone's share of endpoints follows its share of processors. An endpoint stays where it was given
 * before, else in its own zone; only what a zone lacks is moved. Refused when the endpoints are too few to keep every zone below the threshold.
 */
export const allocateZones = (endpoints: readonly ZonedEndpoint[], shares: ZoneShares): ZoneAllocation => {
  if (shares.kind === 'unknown') return { kind: 'refused', why: shares.why }
  const homeless = endpoints.find(({ zone }) => !zone)
  if (homeless !== undefined) return { kind: 'refused', why: `endpoint ${homeless.id} has no zone` }
  const { byZone } = shares
  if (endpoints.length < byZone.size) {
    return { kind: 'refused', why: `${endpoints.length} ready endpoints are fewer than ${byZone.size} zones` }
  }
  const bounds = boundsOf(endpoints.length, byZone)
  const least = [...bounds.values()].reduce((sum, each) => sum + each.least, 0)
  if (least > endpoints.length) {
    return { kind: 'refused', why: `with ${endpoints.length} ready endpoints a zone would be overloaded by more than 20 percent` }
  }
  return { kind: 'allocated', byId: balance(endpoints, bounds) }
}

const boundsOf = (count: number, byZone: ReadonlyMap<string, number>): ReadonlyMap<string, Bounds> =>
  new Map(
    [...byZone].map(([zone, share]) => [
      zone,
      { wanted: share * count, least: Math.ceil((share * count) / (1 + OVERLOAD_THRESHOLD)) },
    ]),
  )

const balance = (endpoints: readonly ZonedEndpoint[], bounds: ReadonlyMap<string, Bounds>): ReadonlyMap<string, string> => {
  const members = new Map<string, ZonedEndpoint[]>([...bounds.keys()].map((zone) => [zone, []]))
  const waiting: ZonedEndpoint[] = []
  for (const endpoint of [...endpoints].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const home = members.get(endpoint.before ?? '') ?? members.get(endpoint.zone ?? '')
    if (home === undefined) waiting.push(endpoint)
    else home.push(endpoint)
  }
  const surplus = (zone: string): number => (members.get(zone)?.length ?? 0) - (bounds.get(zone)?.wanted ?? 0)
  const byNeed = (): readonly string[] => [...bounds.keys()].sort((a, b) => surplus(a) - surplus(b) || (a < b ? -1 : 1))
  // Endpoints in zones without processors go where they are needed most.
  for (const endpoint of waiting) members.get(byNeed()[0] ?? '')?.push(endpoint)
  const lacking = (): string | undefined =>
    byNeed().find((zone) => (members.get(zone)?.length ?? 0) < (bounds.get(zone)?.least ?? 0))
  for (let taker = lacking(); taker !== undefined; taker = lacking()) {
    const giver = byNeed().findLast((zone) => (members.get(zone)?.length ?? 0) > (bounds.get(zone)?.least ?? 0))
    if (giver === undefined) break
    members.get(taker)?.push(give(members.get(giver) ?? [], { giver, taker }))
  }
  return new Map([...members].flatMap(([zone, list]) => list.map(({ id }) => [id, zone] as const)))
}

/** One that is at home in the taking zone, else a guest, else the last. */
const give = (list: ZonedEndpoint[], { giver, taker }: { readonly giver: string; readonly taker: string }): ZonedEndpoint => {
  const returning = list.findIndex(({ zone }) => zone === taker)
  const guest = list.findIndex(({ zone }) => zone !== giver)
  const at = returning >= 0 ? returning : guest >= 0 ? guest : list.length - 1
  const [endpoint] = list.splice(at, 1)
  if (endpoint === undefined) throw new Error(`zone ${giver} has no endpoint to give`)
  return endpoint
}
