import type { Client } from '../../../l4/index.ts'
import { type Frontend, isAllowed, type PortForwarding, type SourceClass, type Target } from '../../../model/index.ts'
import { type AffinityTable, createAffinityTable } from './affinity.ts'

/** What one Service port remembers between syncs: its endpoints now, whose turn it is, and who goes where. */
export interface PortState {
  current: PortForwarding
  turn: number
  affinity: AffinityTable | undefined
}

export const createPortState = (port: PortForwarding, clock: { monotonic(): number }, random: () => number): PortState => {
  // A random first turn: many nodes or restarts must not all begin with the same endpoint.
  const state: PortState = { current: port, turn: Math.floor(random() * 65_536), affinity: undefined }
  updatePortState(state, port, clock)
  return state
}

/** Takes new endpoints; affinity entries stay. */
export const updatePortState = (state: PortState, port: PortForwarding, clock: { monotonic(): number }): void => {
  state.current = port
  if (port.affinityTimeoutSeconds === undefined) state.affinity = undefined
  else {
    const timeoutMs = port.affinityTimeoutSeconds * 1_000
    state.affinity ??= createAffinityTable(timeoutMs, () => clock.monotonic())
    state.affinity.setTimeout(timeoutMs)
  }
}

export interface ChooseInput {
  readonly frontend: Frontend
  readonly client: Client
  readonly source: SourceClass
  readonly tried: readonly Target[]
}

/** The endpoint for a new connection or flow: the remembered one, else the next in turn that was not tried yet; undefined refuses. */
export const choose = (state: PortState, { frontend, client, source, tried }: ChooseInput): Target | undefined => {
  if (!admits(state, { frontend, client, source })) return undefined
  const { cluster, local } = state.current
  const targets = frontend.routes[source].set === 'local' ? local : cluster
  const untried = tried.length === 0 ? targets : targets.filter((target) => !tried.some((other) => isSame(target, other)))
  if (untried.length === 0) return undefined
  const remembered = state.affinity?.recall(client.address, untried)
  if (remembered !== undefined) return remembered
  const target = upcoming(state, untried)
  state.turn++
  if (target !== undefined) state.affinity?.remember(client.address, target)
  return target
}

/** Whose turn it is. */
export const upcoming = ({ turn }: PortState, targets: readonly Target[]): Target | undefined => targets[turn % targets.length]

const admits = (state: PortState, { frontend, client, source }: Omit<ChooseInput, 'tried'>): boolean =>
  frontend.allowedSources === undefined ||
  isAllowed(frontend, {
    source: { class: source, address: client.address },
    destination: { address: frontend.address ?? '', port: frontend.port },
    protocol: state.current.protocol,
  })

const isSame = (a: Target, b: Target): boolean => a.address === b.address && a.port === b.port
