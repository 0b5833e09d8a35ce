import { aborted, type Clock, errorMessage, type Logger, realClock, silentLogger, UserError } from '../../../base/index.ts'
import type { IPFamily } from '../../../ip/index.ts'
import type { Choice, Flavour, Iptables } from '../../../kernel/iptables/index.ts'
import { auditParts } from '../../audit-parts.ts'
import type { Backend, Capability, Change, Drift } from '../../backend.ts'
import { createFamilyRules, type FamilyRules } from './apply.ts'
import { startCanary } from './canary.ts'
import { cleanUp } from './cleanup.ts'
import { CANARY } from './layout.ts'
import type { Refused } from './record.ts'
import { trace } from './trace.ts'
import { createUnserved } from './unserved.ts'

export interface IptablesBackendOptions {
  readonly iptables: Iptables
  /** The flavour that is in use on this machine unless told. */
  readonly flavour?: Flavour
  /** Connections to addresses of these ranges that no Service has are refused; without any, so are undefined ports of ClusterIPs not. */
  readonly serviceCIDRs: readonly string[]
  /** 14 unless told, as kube-proxy. */
  readonly masqueradeBit?: number
  /** NodePorts on loopback too. The caller sets `net.ipv4.conf.all.route_localnet=1`. */
  readonly localhostNodePorts?: boolean
  /** Let packets pass that conntrack finds invalid; where `net.netfilter.nf_conntrack_tcp_be_liberal=1`. */
  readonly isConntrackLiberal?: boolean
  readonly clock?: Clock
  readonly log?: Logger
  /** Somebody flushed what this mode keeps in the kernel; it is put back already, and the next audit tells what was missing. */
  readonly onForeignChange?: () => void
  /** Calls `emptied` when somebody may have taken the canary's rule, until `signal` aborts: then it is looked at at once. */
  readonly watchCanary?: (chain: string, emptied: () => void, signal: AbortSignal) => void
  /** How often the canary chains are looked at; 30 s unless told. */
  readonly canaryIntervalMs?: number
}

/** Carries Services with iptables, in kube-proxy's chains. Owns their names: a kube-proxy beside it would fight it. */
export const createIptablesBackend = (options: IptablesBackendOptions): Backend => {
  const { iptables, serviceCIDRs, log = silentLogger } = options
  const inTurn = createTurns()
  const unserved = createUnserved()
  const pending: Drift[] = []
  let open: Opened | undefined
  const opened = async (): Promise<Opened> => {
    open ??= await openFamilies(options)
    return open
  }
  const audit = async (signal?: AbortSignal): Promise<readonly Drift[]> => {
    const { families } = await opened()
    return auditParts(
      Array.from(families.values(), (rules) => rules.audit),
      signal,
    )
  }
  return {
    mode: 'iptables',
    supports: new Set<Capability>([
      ...(['SCTP', 'IPv6', 'Drop', 'KeepsSource', 'TracksFlows'] as const),
      ...(serviceCIDRs.length > 0 ? (['RejectsUndefinedPorts'] as const) : []),
    ]),
    async start(signal, report) {
      const { families, without } = await inTurn(opened)
      unserved.reportTo(report)
      for (const reason of Object.values(without)) log.warn('an address family cannot be carried', { reason })
      const canary = startCanary({
        signal,
        clock: options.clock ?? realClock,
        intervalMs: options.canaryIntervalMs ?? CANARY_INTERVAL_MS,
        look: () =>
          inTurn(async () => {
            const flushed = await Promise.all([...families.values()].map((rules) => rules.isFlushed()))
            if (!flushed.includes(true)) return
            pending.push(...(await audit()))
            log.warn('somebody flushed packet rules; they are put back', { missing: pending.length })
            options.onForeignChange?.()
          }).catch((error) => log.warn('packet rules cannot be watched', { reason: errorMessage(error) })),
      })
      options.watchCanary?.(CANARY, canary.soon, signal)
      return { stopped: Promise.all([aborted(signal), canary.ended]).then(() => inTurn(async () => {})) }
    },
    sync: (change) => inTurn(async () => unserved.record(change, await syncFamilies(await opened(), change))),
    exceptions: unserved.list,
    audit: (signal) =>
      inTurn(async () => {
        const found = await audit(signal)
        return [...pending.splice(0), ...found]
      }),
    trace(packet) {
      const rules = open?.families.get(packet.destination.address.includes(':') ? 'IPv6' : 'IPv4')
      const layout = rules?.told.layout
      return rules === undefined || layout === undefined ? [] : trace(rules.told.books, packet, layout.node)
    },
    cleanup: () =>
      inTurn(async () => {
        open = undefined
        await cleanUp(iptables)
      }),
  }
}

const CANARY_INTERVAL_MS = 30_000
const DEFAULT_MASQUERADE_BIT = 14

interface Opened {
  readonly families: ReadonlyMap<IPFamily, FamilyRules>
  readonly without: Readonly<Partial<Record<IPFamily, string>>>
}

/** Gives the Services that cannot be carried. Each family is tried, whatever becomes of the other. */
const syncFamilies = async ({ families, without }: Opened, change: Change): Promise<Refused> => {
  const results = await Promise.allSettled([...families.values()].map((rules) => rules.sync(change)))
  const refused: Refused = new Map()
  for (const forwarding of change.set) {
    const reason = without[forwarding.family]
    if (reason !== undefined) refused.set(forwarding.key, { forwarding, reason })
  }
  for (const result of results) {
    if (result.status === 'rejected') throw result.reason
    for (const [key, why] of result.value) refused.set(key, why)
  }
  return refused
}

/** Fails with what keeps both flavours from being used. */
const openFamilies = async (options: IptablesBackendOptions): Promise<Opened> => {
  const { iptables, serviceCIDRs, masqueradeBit = DEFAULT_MASQUERADE_BIT } = options
  const choice: Choice = await iptables.choose(options.flavour)
  if ('obstacle' in choice) throw new UserError(choice.obstacle)
  const families = (['IPv4', 'IPv6'] as const).filter((family) => choice.without[family] === undefined)
  const rulesOf = (family: IPFamily): FamilyRules =>
    createFamilyRules({
      iptables,
      place: { flavour: choice.flavour, family },
      family,
      serviceCIDRs,
      masqueradeMark: 2 ** masqueradeBit,
      localhostNodePorts: options.localhostNodePorts ?? false,
      isConntrackLiberal: options.isConntrackLiberal ?? false,
    })
  return { families: new Map(families.map((family) => [family, rulesOf(family)])), without: choice.without }
}

/** Runs one after another what must not run at once. */
const createTurns = (): (<Value>(run: () => Promise<Value>) => Promise<Value>) => {
  let last: Promise<unknown> = Promise.resolve()
  return (run) => {
    const mine = last.then(run, run)
    last = mine.catch(() => {})
    return mine
  }
}
