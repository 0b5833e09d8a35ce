import type { Forwarding, PortForwarding, Target } from '../../../model/index.ts'

/** The endpoints of a port in the order of their slots, for each policy. */
export interface PortSlots {
  readonly cluster: readonly Target[]
  readonly local: readonly Target[]
}

/** Which endpoint had a slot (from 0) before: text of it, or undefined. */
export type SlotsBefore = (
  forwarding: Forwarding,
  port: PortForwarding,
  set: 'cluster' | 'local',
) => (slot: number) => string | undefined

/** Slots are numbers of 15 bits, beside one for the policy. Endpoints beyond them get no connections. */
const MOST_SLOTS = 0x7fff

/** Gives every endpoint of every port a slot. Those that had one keep it and the last ones fill the holes, so that a change moves as few as it can. */
export const slotsOf = (forwarding: Forwarding, before: SlotsBefore): readonly PortSlots[] =>
  forwarding.ports.map((port) => ({
    cluster: inSlots(port.cluster, before(forwarding, port, 'cluster')),
    local: inSlots(port.local, before(forwarding, port, 'local')),
  }))

/** What is carried already. */
export const slotsCarried = (forwarding: Forwarding | undefined, slots: readonly PortSlots[]): SlotsBefore => {
  const byPort = new Map(forwarding?.ports.map((port, index) => [portId(port), slots[index]]))
  return (_, port, set) => {
    const targets = byPort.get(portId(port))?.[set]
    return (slot) => {
      const target = targets?.[slot]
      return target === undefined ? undefined : targetText(target)
    }
  }
}

const portId = ({ protocol, port }: PortForwarding): string => `${protocol} ${port}`

/** An endpoint as elements have it. */
export const targetText = ({ address, port }: Target): string => `${address} . ${port}`

const inSlots = (all: readonly Target[], before: (slot: number) => string | undefined): readonly Target[] => {
  const targets = all.length > MOST_SLOTS ? all.slice(0, MOST_SLOTS) : all
  if (isAsBefore(targets, before)) return targets
  const left = new Map(targets.map((target) => [targetText(target), target]))
  const kept: (Target | undefined)[] = []
  for (let slot = 0; slot < targets.length; slot++) {
    const text = before(slot)
    const target = text === undefined ? undefined : left.get(text)
    if (text !== undefined) left.delete(text)
    kept.push(target)
  }
  const rest = [...left.values()]
  let next = 0
  return kept.flatMap((target) => target ?? rest[next++] ?? [])
}

/** Nothing moves: the same list costs no memory. */
const isAsBefore = (targets: readonly Target[], before: (slot: number) => string | undefined): boolean => {
  for (let slot = 0; slot < targets.length; slot++) {
    const target = targets[slot]
    const text = before(slot)
    if (target === undefined || (text !== undefined && text !== targetText(target))) return false
  }
  return true
}
