import { aborted, type Clock, type Running, realClock } from '../../../base/index.ts'
import { createTcpForwarder, createUdpForwarder } from '../../../l4/index.ts'
import { type Forwarding, type NodeView, sourceClassifier } from '../../../model/index.ts'
import type { Backend, Change, FrontendStatus } from '../../backend.ts'
import { audit } from './audit.ts'
import { createPortState, type PortState, updatePortState } from './choose.ts'
import { type DesiredListener, desiredListeners, listenerId } from './desired-listeners.ts'
import { createListener, hostRange, type Listener } from './listener.ts'
import type { UserspaceBackendOptions } from './options.ts'
import type { CarriedService, Userspace } from './state.ts'
import { trace } from './trace.ts'

/** Carries Services with sockets of this process: needs nothing but Node. */
export const createUserspaceBackend = (options: UserspaceBackendOptions): Backend => {
  const userspace = createState(options)
  return {
    mode: 'userspace',
    supports: new Set(['IPv6', 'Substitutes']),
    start: (signal, report) => start(userspace, signal, report),
    sync(change) {
      userspace.pending = sync(userspace, change)
      return userspace.pending
    },
    audit: (signal) => audit(userspace, signal),
    trace: (packet) => trace(userspace, packet),
    exceptions: () => [...userspace.listeners.values()].map(({ status }) => status).filter(isException),
    cleanup: () => release(userspace),
  }
}

const isException = ({ state }: FrontendStatus): boolean => state === 'substituted' || state === 'failed'

const createState = (options: UserspaceBackendOptions): Userspace => {
  const clock = options.clock ?? realClock
  const listeners = new Map<string, Listener>()
  const state: Userspace = {
    options,
    listeners,
    services: new Map(),
    node: undefined,
    classify: options.classify ?? (() => 'outside'),
    report: () => {},
    pending: Promise.resolve(),
    isStopped: false,
    context: {
      clock,
      tcp: createTcpForwarder({ ...options.tcp, clock }),
      udp: createUdpForwarder({ ...options.udp, clock }),
      localAddresses: options.localAddresses,
      ensured: new Set(),
      bound: new Set(),
      classify: () => state.classify,
      report: (status) => state.report(status),
      isWanted: (protocol, address, port) => listeners.has(listenerId(protocol, address, port)),
    },
  }
  return state
}

const DEFAULT_DRAIN_MS = 5_000

const start = async (state: Userspace, signal: AbortSignal, report: (status: FrontendStatus) => void): Promise<Running> => {
  state.report = report
  for (const cidr of state.options.serviceCIDRs) await state.options.localAddresses?.ensure(cidr)
  const stop = async (): Promise<void> => {
    await aborted(signal)
    state.isStopped = true
    state.report = () => {}
    await state.pending.catch(() => {})
    await closeAll(state.context.clock, [...state.listeners.values()])
    state.listeners.clear()
    state.services.clear()
    const { tcp, udp } = state.context
    await Promise.all([tcp.close(state.options.drainMs ?? DEFAULT_DRAIN_MS), udp.close()])
    await release(state)
  }
  return { stopped: stop() }
}

const release = async ({ options, context }: Userspace): Promise<void> => {
  for (const cidr of [...options.serviceCIDRs, ...[...context.ensured].map(hostRange)]) {
    await options.localAddresses?.release(cidr)
  }
  context.ensured.clear()
}

const sync = async (state: Userspace, change: Change): Promise<void> => {
  const { node } = change
  const { clock } = state.context
  const nodeChanged = state.node !== undefined && JSON.stringify(state.node) !== JSON.stringify(node)
  if (state.node === undefined || nodeChanged) {
    state.node = node
    state.classify = state.options.classify ?? sourceClassifier(node)
  }
  const set = new Map(change.set.map((forwarding) => [forwarding.key, forwarding]))
  const gone = change.full ? [...state.services.keys()].filter((key) => !set.has(key)) : change.delete
  if (nodeChanged) {
    for (const [key, { forwarding }] of state.services) if (!set.has(key) && !gone.includes(key)) set.set(key, forwarding)
  }
  const closing: Listener[] = []
  const take = (id: string): void => {
    const listener = state.listeners.get(id)
    if (listener === undefined) return
    state.listeners.delete(id)
    closing.push(listener)
  }
  for (const key of gone) {
    for (const id of state.services.get(key)?.ids ?? []) take(id)
    state.services.delete(key)
  }
  const plans: ServicePlan[] = []
  await inBatches(clock, [...set.values()], (batch) => void plans.push(...batch.map((each) => planService(state, each, node))))
  // Everything that a Service gives up is free before another one takes it.
  for (const { stale } of plans) for (const id of stale) take(id)
  const opening: Listener[] = []
  await inBatches(clock, plans, (batch) => void opening.push(...batch.flatMap((plan) => adopt(state, plan))))
  await closeAll(clock, closing)
  await releaseUnused(state, closing)
  await inBatches(clock, opening, async (batch) => {
    if (!state.isStopped) await Promise.all(batch.map((listener) => listener.open()))
  })
}

/** Addresses outside of the service ranges, and all of IPv6, were made local one by one. */
const releaseUnused = async ({ options, context, listeners }: Userspace, closed: readonly Listener[]): Promise<void> => {
  const candidates = new Set(closed.map(({ desired: { ref } }) => ref.address).filter((address) => context.ensured.has(address)))
  if (candidates.size === 0) return
  for (const { desired } of listeners.values()) candidates.delete(desired.ref.address)
  for (const address of candidates) {
    context.ensured.delete(address)
    await options.localAddresses?.release(hostRange(address))
  }
}

interface ServicePlan {
  readonly desired: readonly DesiredListener[]
  readonly carried: CarriedService
  /** Ids that the Service had and no longer wants. */
  readonly stale: readonly string[]
}

const planService = (state: Userspace, forwarding: Forwarding, node: NodeView): ServicePlan => {
  const known = state.services.get(forwarding.key)
  const { clock } = state.context
  const ports = new Map<string, PortState>()
  for (const port of forwarding.ports) {
    const id = `${port.protocol} ${port.port} ${port.name}`
    const before = known?.ports.get(id)
    if (before !== undefined) updatePortState(before, port, clock)
    ports.set(id, before ?? createPortState(port, clock, state.options.random ?? Math.random))
  }
  const desired = desiredListeners(forwarding, node)
  const ids = new Set(desired.map(({ id }) => id))
  const stale = [...(known?.ids ?? [])].filter((id) => !ids.has(id))
  return { desired, carried: { forwarding, ids, ports }, stale }
}

/** Existing sockets get the new endpoints at once, before anything waits; what is returned must be opened. */
const adopt = (state: Userspace, { desired, carried }: ServicePlan): readonly Listener[] => {
  state.services.set(carried.forwarding.key, carried)
  return desired.flatMap((wanted) => {
    const portState = carried.ports.get(`${wanted.port.protocol} ${wanted.port.port} ${wanted.port.name}`)
    if (portState === undefined) return []
    const existing = state.listeners.get(wanted.id)
    if (existing !== undefined) {
      existing.desired = wanted
      existing.state = portState
      existing.prune()
      return []
    }
    const listener = createListener(state.context, wanted, portState)
    state.listeners.set(wanted.id, listener)
    return [listener]
  })
}

const closeAll = (clock: Clock, listeners: readonly Listener[]): Promise<void> =>
  inBatches(clock, listeners, async (batch) => void (await Promise.all(batch.map((listener) => listener.close()))))

/** The loop serves traffic between batches, which are as large as {@link BATCH_MS} allows on this machine at this moment. */
const BATCH_MS = 4
const MAX_BATCH = 64

/** A small change is one batch and never waits. */
const inBatches = async <T>(
  clock: Clock,
  items: readonly T[],
  act: (batch: readonly T[]) => void | Promise<void>,
): Promise<void> => {
  let size = 16
  let done = 0
  while (done < items.length) {
    if (done > 0) await new Promise((resolve) => setImmediate(resolve))
    const startedAt = clock.monotonic()
    await act(items.slice(done, done + size))
    done += size
    const tookMs = clock.monotonic() - startedAt
    if (tookMs > BATCH_MS) size = Math.max(1, size >> 1)
    else if (tookMs < BATCH_MS / 2) size = Math.min(MAX_BATCH, size * 2)
  }
}
