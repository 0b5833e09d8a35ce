import {
  aborted,
  type Clock,
  errorMessage,
  type Logger,
  type Running,
  realClock,
  silentLogger,
  UserError,
} from '../../../base/index.ts'
import type { IPFamily } from '../../../ip/index.ts'
import { SCHEDULERS, type Scheduler, type Timeouts } from '../../../kernel/ipvs/index.ts'
import type { Backend, Capability, Drift, FrontendStatus } from '../../backend.ts'
import { createLive, type Live } from './apply.ts'
import { cleanUp } from './cleanup.ts'
import { createDrainer, type Drainer } from './drain.ts'
import { driftOf } from './drift.ts'
import { idOf } from './items.ts'
import type { Kernel } from './kernel.ts'
import { createRefusals, type Refusals } from './refusals.ts'
import { createState, type State } from './state.ts'
import { trace } from './trace.ts'
import { createUnserved, type Unserved } from './unserved.ts'

export interface IpvsBackendOptions {
  readonly kernel: Kernel
  /** `rr` unless told; one of {@link SCHEDULERS}. */
  readonly scheduler?: string
  /** Answer ARP only on the device that has the address: for load balancers that announce service addresses on this LAN. */
  readonly strictARP?: boolean
  /** For how long silent connections are remembered; what is left out stays as the system has it. A cleanup brings back what was before. */
  readonly timeouts?: Partial<Timeouts>
  /** Virtual servers at addresses of these ranges belong to others, whatever they look like. */
  readonly excludeCIDRs?: readonly string[]
  /** Connections to addresses of these ranges that no Service has are refused. */
  readonly serviceCIDRs: readonly string[]
  /** Of the mark for what must be masqueraded; 14 unless told, as kube-proxy. */
  readonly masqueradeBit?: number
  /** How long an endpoint that is gone may carry its last connections; 15 minutes unless told. */
  readonly drainLimitMs?: number
  /** How often they are counted; 30 s unless told. */
  readonly drainIntervalMs?: number
  readonly clock?: Clock
  readonly log?: Logger
}

const DRAIN_LIMIT_MS = 15 * 60_000
const DRAIN_INTERVAL_MS = 30_000
const MASQUERADE_BIT = 14

/** Carries Services with the kernel's virtual servers. One instance for each network namespace. Fails at once on a scheduler that there is not. */
export const createIpvsBackend = (options: IpvsBackendOptions): Backend => {
  const session: Session = {
    options,
    scheduler: schedulerOf(options.scheduler ?? 'rr'),
    inTurn: createTurns(),
    unserved: createUnserved(),
    refusals: createRefusals(),
    opened: undefined,
    isRunning: false,
  }
  const { inTurn, unserved, refusals } = session
  return {
    mode: 'ipvs',
    supports: new Set<Capability>(['SCTP', 'IPv6', 'Drop', 'KeepsSource', 'RejectsUndefinedPorts', 'TracksFlows']),
    start: (signal, report) => start(session, signal, report),
    sync: (change) =>
      inTurn(async () => {
        const opened = await open(session)
        const { state, live, without, drainer } = opened
        unserved.record(change, without)
        state.record(change)
        if (!state.isSure || change.full) state.books.adopt((await live.open(state.books.isWanted)).items)
        await write(session, opened)
        if (session.isRunning) drainer.watch()
      }),
    exceptions: () => [...unserved.list(), ...refusals.list()],
    audit: (signal) =>
      inTurn(async (): Promise<readonly Drift[]> => {
        signal?.throwIfAborted()
        const opened = await open(session)
        const { state, live } = opened
        const found = await live.open(state.books.isWanted, signal)
        state.books.adopt(found.items)
        const difference = state.books.difference()
        // What the kernel refuses is told as such.
        const ours = difference.filter(({ item }) => !refusals.has(idOf(item)))
        const drift = [...found.mended, ...found.chainDrift(state.chains(difference)), ...driftOf(ours)]
        await write(session, opened)
        return drift
      }),
    trace: (packet) => (session.opened === undefined ? [] : trace(session.opened.state, packet)),
    cleanup: () =>
      inTurn(async () => {
        session.opened?.drainer.stop()
        session.opened = undefined
        await cleanUp(options.kernel, options.excludeCIDRs)
      }),
  }
}

interface Session {
  readonly options: IpvsBackendOptions
  readonly scheduler: Scheduler
  readonly inTurn: Turns
  readonly unserved: Unserved
  readonly refusals: Refusals
  opened: Opened | undefined
  isRunning: boolean
}

interface Opened {
  readonly state: State
  readonly live: Live
  readonly without: Readonly<Partial<Record<IPFamily, string>>>
  readonly drainer: Drainer
}

const start = async (session: Session, signal: AbortSignal, report: (status: FrontendStatus) => void): Promise<Running> => {
  const { inTurn, unserved, refusals, options } = session
  const { without } = await inTurn(() => open(session))
  unserved.reportTo(report)
  refusals.reportTo(report)
  for (const reason of Object.values(without)) options.log?.warn('an address family cannot be carried', { reason })
  session.isRunning = true
  const stop = async (): Promise<void> => {
    session.isRunning = false
    session.opened?.drainer.stop()
  }
  return { stopped: aborted(signal).then(() => inTurn(stop)) }
}

/** Probes what is needed, at the first call; fails with what keeps it from being used. */
const open = async (session: Session): Promise<Opened> => {
  if (session.opened !== undefined) return session.opened
  const { options, scheduler } = session
  const { kernel, serviceCIDRs, masqueradeBit = MASQUERADE_BIT, strictARP = false } = options
  const obstacle = (await kernel.ipvs.probe(scheduler)) ?? (await kernel.ipset.probe())
  if (obstacle !== undefined) throw new UserError(obstacle)
  const choice = await kernel.iptables.choose()
  if ('obstacle' in choice) throw new UserError(choice.obstacle)
  const { flavour } = choice
  const without = { ...(await withoutIPv6(kernel)), ...choice.without }
  const families = FAMILIES.filter((family) => without[family] === undefined)
  const state = createState({ families, scheduler, serviceCIDRs, masqueradeBit })
  const live = createLive({
    kernel,
    flavour,
    families,
    strictARP,
    timeouts: options.timeouts ?? {},
    excludeCIDRs: options.excludeCIDRs ?? [],
  })
  session.opened = { state, live, without, drainer: drainerOf(session, { state, live }) }
  return session.opened
}

/** Its addresses could not be put on the device, and with them nobody's. */
const withoutIPv6 = async ({ sysctls }: Kernel): Promise<Readonly<Partial<Record<IPFamily, string>>>> => {
  const [disabled] = await sysctls.read(['ipv6/conf/default/disable_ipv6'])
  return disabled === '0' ? {} : { IPv6: 'IPv6 is disabled on this machine; set net.ipv6.conf.default.disable_ipv6=0 for it' }
}

const drainerOf = (session: Session, { state, live }: Pick<Opened, 'state' | 'live'>): Drainer => {
  const { options, inTurn } = session
  const { kernel, clock = realClock, log = silentLogger } = options
  const drainer: Drainer = createDrainer({
    books: state.books,
    ipvs: kernel.ipvs,
    clock,
    limitMs: options.drainLimitMs ?? DRAIN_LIMIT_MS,
    intervalMs: options.drainIntervalMs ?? DRAIN_INTERVAL_MS,
    onDue: (look) =>
      void inTurn(async () => {
        if (state.isSure && (await look())) await write(session, { state, live })
      })
        .catch((error) => log.warn('endpoints that are gone cannot be removed yet', { reason: errorMessage(error) }))
        .then(() => drainer.watch()),
  })
  return drainer
}

const FAMILIES: readonly IPFamily[] = ['IPv4', 'IPv6']

const write = async ({ refusals }: Session, { state, live }: Pick<Opened, 'state' | 'live'>): Promise<void> => {
  const difference = state.books.difference()
  state.isSure = false
  const refused = await live.apply(difference, state.chains(difference))
  state.books.committed(new Set(refused.map(({ server, real }) => idOf({ kind: 'real', server, real }))))
  state.isSure = true
  refusals.update(refused, state.books, forwardingsOf(state))
}

const forwardingsOf = function* (state: State) {
  for (const { forwarding } of state.carried()) yield forwarding
}

const schedulerOf = (name: string): Scheduler => {
  const known = SCHEDULERS.find((each) => each === name)
  if (known === undefined) {
    throw new UserError(`--ipvs-scheduler=${name.slice(0, 40)} is unknown; choose one of ${SCHEDULERS.join(', ')}`)
  }
  return known
}

/** One at a time, in the order of the calls: a timer's work never meets a sync. */
type Turns = <Result>(work: () => Promise<Result>) => Promise<Result>

const createTurns = (): Turns => {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }
}
