import type { Target } from '../../../model/index.ts'
import type { Tables } from './diff.ts'
import { createIds, type Ids } from './ids.ts'
import {
  endpointBytes,
  frontendValue,
  INLINE,
  type Limits,
  LOCAL_SLOTS,
  MEMBER,
  memberKey,
  memberValue,
  readFrontendValue,
  readSlotKey,
  slotKey,
} from './layout.ts'
import type { RenderedPort } from './render.ts'

/** A Service port that has its number and its endpoints their slots. */
interface PlacedPort {
  readonly rendered: RenderedPort
  readonly id: number
  readonly cluster: readonly Target[]
  readonly local: readonly Target[]
}

/** What the maps should hold. Pure memory: nothing here knows whether the kernel has it. */
export interface Books {
  /** Learns numbers and slots from the kernel, so that what is placed next finds its own again. */
  adopt(tables: Tables): void
  /** Replaces what is carried of these Forwardings, in this order; gives both states of all that they touch. */
  change(forwardings: ReadonlyMap<string, readonly RenderedPort[]>): Change
  /** The last changes are in the kernel: their numbers may be given again. */
  settle(): void
  /** Everything. */
  all(): Tables
  /** What holds this frontend. */
  at(frontendKey: string): { readonly port: PlacedPort; readonly flags: number } | undefined
  /** Of the numbers that are in use. */
  portOf(id: number): PlacedPort | undefined
  /** UDP endpoints of this text have a Service port. */
  hasUdpEndpoint(target: Target): boolean
  /** What found no room. */
  readonly leftOut: ReadonlyMap<string, RenderedPort>
}

interface Change {
  readonly before: Tables
  readonly after: Tables
  /** UDP endpoints of what was carried before; some may still be carried. */
  readonly udpBefore: readonly Target[]
}

/** A place is only given up to a share of the map: elements are added before others are removed. */
const USABLE = 0.9

interface Holder {
  readonly port: PlacedPort
  readonly flags: number
  readonly isNodePort: boolean
}

interface State {
  readonly limits: Limits
  readonly ids: Ids
  readonly carried: Map<string, readonly PlacedPort[]>
  readonly byId: Map<number, PlacedPort>
  /** Of each frontend, the one that counts first. */
  readonly holders: Map<string, readonly Holder[]>
  readonly leftOut: Map<string, RenderedPort>
  readonly udpEndpoints: Map<string, number>
  adoptedIds: ReadonlyMap<string, number>
  adoptedSlots: ReadonlyMap<number, ReadonlyMap<number, string>>
  slots: number
  members: number
}

export const createBooks = (limits: Limits): Books => {
  const state: State = {
    limits,
    ids: createIds(),
    carried: new Map(),
    byId: new Map(),
    holders: new Map(),
    leftOut: new Map(),
    udpEndpoints: new Map(),
    adoptedIds: new Map(),
    adoptedSlots: new Map(),
    slots: 0,
    members: 0,
  }
  return {
    adopt(tables) {
      state.adoptedIds = new Map([...tables.frontends].map(([key, value]) => [key, readFrontendValue(value).id]))
      state.adoptedSlots = slotsById(tables)
    },
    change: (forwardings) => change(state, forwardings),
    settle() {
      state.ids.settle()
      state.adoptedIds = new Map()
      state.adoptedSlots = new Map()
    },
    all: () => tablesOf(state, state.byId.values(), state.holders.keys()),
    at: (key) => state.holders.get(key)?.[0],
    portOf: (id) => state.byId.get(id),
    hasUdpEndpoint: (target) => state.udpEndpoints.has(textOf(target)),
    leftOut: state.leftOut,
  }
}

/** As bytes: most of them are asked for never. */
const slotsById = ({ frontends, slots }: Tables): ReadonlyMap<number, ReadonlyMap<number, string>> => {
  const byId = new Map<number, Map<number, string>>()
  const add = (id: number, slot: number, endpoint: string): void => {
    const known = byId.get(id) ?? new Map<number, string>()
    byId.set(id, known.set(slot, endpoint))
  }
  for (const [key, value] of slots) {
    const { id, slot } = readSlotKey(key)
    add(id, slot, value)
  }
  for (const value of frontends.values()) {
    const { id, inline } = readFrontendValue(value)
    for (const [slot, endpoint] of inline.entries()) add(id, slot, endpoint)
  }
  return byId
}

const change = (state: State, forwardings: ReadonlyMap<string, readonly RenderedPort[]>): Change => {
  const old = [...forwardings.keys()].flatMap((key) => state.carried.get(key) ?? [])
  const waiting = [...state.leftOut.values()].filter(({ forwarding }) => !forwardings.has(forwarding))
  const wanted = [...[...forwardings.values()].flat(), ...waiting]
  const touched = new Set(
    [...old.map(({ rendered }) => rendered), ...wanted].flatMap(({ frontends }) => frontends.map(({ key }) => key)),
  )
  const before = tablesOf(state, old, touched)
  const names = new Set(wanted.map(({ name }) => name))
  for (const port of old) drop(state, port, names.has(port.rendered.name))
  for (const key of forwardings.keys()) state.carried.delete(key)
  for (const [name, { forwarding }] of state.leftOut) if (forwardings.has(forwarding)) state.leftOut.delete(name)
  const previous = new Map(old.map((port) => [port.rendered.name, port]))
  const placed = wanted.flatMap((rendered) => place(state, rendered, previous.get(rendered.name)) ?? [])
  return { before, after: tablesOf(state, placed, touched), udpBefore: old.filter(isUdp).flatMap(endpointsOf) }
}

const isUdp = ({ rendered }: PlacedPort): boolean => rendered.protocol === 'UDP'
const endpointsOf = ({ cluster, local }: PlacedPort): readonly Target[] => [...cluster, ...local]
/** What needs elements of its own. */
const inSlotsMap = (targets: readonly Target[]): readonly Target[] => (targets.length <= INLINE ? [] : targets)
const textOf = ({ address, port }: Target): string => `${address} ${port}`

/** Takes a port out of the books; its number stays with it when it comes back in the same change. */
const drop = (state: State, port: PlacedPort, keepsId: boolean): void => {
  const { rendered, id } = port
  for (const { key } of rendered.frontends) {
    const rest = (state.holders.get(key) ?? []).filter((holder) => holder.port !== port)
    if (rest.length === 0) state.holders.delete(key)
    else state.holders.set(key, rest)
  }
  count(state, port, -1)
  state.byId.delete(id)
  if (!keepsId) state.ids.release(rendered.name)
}

const count = (state: State, port: PlacedPort, by: 1 | -1): void => {
  const endpoints = endpointsOf(port)
  state.slots += by * (inSlotsMap(port.cluster).length + port.local.length)
  if (port.rendered.hasMembers) state.members += by * endpoints.length
  if (!isUdp(port)) return
  for (const target of endpoints) {
    const text = textOf(target)
    const left = (state.udpEndpoints.get(text) ?? 0) + by
    if (left === 0) state.udpEndpoints.delete(text)
    else state.udpEndpoints.set(text, left)
  }
}

/** Undefined where there is no room. */
const place = (state: State, rendered: RenderedPort, previous: PlacedPort | undefined): PlacedPort | undefined => {
  const { limits, holders, leftOut, carried } = state
  const endpoints = rendered.cluster.length + rendered.local.length
  const hasRoom =
    holders.size + rendered.frontends.length <= limits.frontends * USABLE &&
    state.slots + inSlotsMap(rendered.cluster).length + rendered.local.length <= limits.endpoints * USABLE &&
    (!rendered.hasMembers || state.members + endpoints <= limits.endpoints * USABLE)
  if (!hasRoom) {
    state.ids.release(rendered.name)
    leftOut.set(rendered.name, rendered)
    return undefined
  }
  leftOut.delete(rendered.name)
  const id = state.ids.of(rendered.name, adoptedId(state, rendered))
  const before = previous === undefined ? adoptedPort(state, id) : slotsOf(previous)
  const port: PlacedPort = {
    rendered,
    id,
    cluster: inSlots(rendered.cluster, before.cluster),
    local: inSlots(rendered.local, before.local),
  }
  for (const { key, flags, isNodePort } of rendered.frontends) {
    const all = [...(holders.get(key) ?? []), { port, flags, isNodePort }]
    holders.set(key, all.length === 1 ? all : all.sort((a, b) => Number(a.isNodePort) - Number(b.isNodePort)))
  }
  count(state, port, 1)
  state.byId.set(id, port)
  carried.set(rendered.forwarding, [...(carried.get(rendered.forwarding) ?? []), port])
  return port
}

const adoptedId = ({ adoptedIds }: State, { frontends }: RenderedPort): number | undefined => {
  for (const { key } of frontends) {
    const id = adoptedIds.get(key)
    if (id !== undefined) return id
  }
  return undefined
}

/** Endpoints as bytes, by their slots. */
type Slots = readonly (string | undefined)[]

const slotsOf = ({ cluster, local }: PlacedPort): { readonly cluster: Slots; readonly local: Slots } => ({
  cluster: cluster.map(endpointBytes),
  local: local.map(endpointBytes),
})

const adoptedPort = ({ adoptedSlots }: State, id: number): { readonly cluster: Slots; readonly local: Slots } => {
  const cluster: (string | undefined)[] = []
  const local: (string | undefined)[] = []
  for (const [slot, endpoint] of adoptedSlots.get(id) ?? []) {
    if (slot >= LOCAL_SLOTS) local[slot - LOCAL_SLOTS] = endpoint
    else cluster[slot] = endpoint
  }
  return { cluster, local }
}

/** Endpoints keep their slots; the others fill the holes, so that a change moves as few as it can. */
const inSlots = (targets: readonly Target[], before: Slots): readonly Target[] => {
  const left = new Map(targets.map((target) => [endpointBytes(target), target]))
  const kept = targets.map((_, slot) => {
    const known = before[slot] ?? ''
    const target = left.get(known)
    left.delete(known)
    return target
  })
  const rest = left.values()
  return kept.flatMap((target): readonly Target[] => {
    const next = target ?? rest.next().value
    return next === undefined ? [] : [next]
  })
}

const tablesOf = (state: State, ports: Iterable<PlacedPort>, frontendKeys: Iterable<string>): Tables => {
  const tables = { frontends: new Map<string, string>(), slots: new Map<string, string>(), members: new Map<string, string>() }
  for (const key of frontendKeys) {
    const [holder] = state.holders.get(key) ?? []
    if (holder !== undefined) tables.frontends.set(key, frontendElement(holder))
  }
  for (const { rendered, id, cluster, local } of ports) {
    for (const [slot, target] of inSlotsMap(cluster).entries()) tables.slots.set(slotKey(id, slot), endpointBytes(target))
    for (const [slot, target] of local.entries()) tables.slots.set(slotKey(id, LOCAL_SLOTS + slot), endpointBytes(target))
    if (!rendered.hasMembers) continue
    const sets = new Map<string, number>()
    for (const target of cluster) sets.set(memberKey(id, target), MEMBER.cluster)
    for (const target of local) {
      const key = memberKey(id, target)
      sets.set(key, (sets.get(key) ?? 0) | MEMBER.local)
    }
    for (const [key, value] of sets) tables.members.set(key, memberValue(value))
  }
  return tables
}

/** The element of a frontend. */
export const frontendElement = ({ port: { id, cluster, local, rendered }, flags }: Pick<Holder, 'port' | 'flags'>): string =>
  frontendValue({
    id,
    flags,
    cluster: cluster.length,
    local: local.length,
    affinitySeconds: rendered.affinitySeconds,
    inline: cluster.length <= INLINE ? cluster.map(endpointBytes) : [],
  })
