import { Registry } from 'prom-client'
import type { Endpoint, ServicePort, ServiceSpec } from '../../../api/index.ts'
import { silentLogger } from '../../../base/index.ts'
import { pausedClock } from '../../../base/testing/paused-clock.ts'
import { type FakeConntrack, type FakePacket, fakeConntrack } from '../../../kernel/conntrack/testing/index.ts'
import {
  decide,
  type Forwarding,
  type NodeView,
  serviceForwarding,
  sourceClassifier,
  type Verdict,
} from '../../../model/index.ts'
import { endpoint, node, port, ready, service, slice, vips } from '../../../model/testing/index.ts'
import { type CleanReport, createFlowCleaner, createFlowMetrics, type FlowCleaner } from '../index.ts'

export const VIRTUAL = '10.96.0.10'
export const NODE = '192.0.2.1'
/** One of each source class. */
export const CLIENTS = { pod: '10.1.1.9', node: NODE, outside: '198.51.100.9' } as const

export const here = (last: number, state = ready): Endpoint => endpoint(`10.1.1.${last}`, { nodeName: 'n1', ...state })
export const away = (last: number, state = ready): Endpoint => endpoint(`10.1.2.${last}`, { nodeName: 'n2', ...state })

interface Meaning extends Partial<ServiceSpec> {
  readonly name?: string
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly node?: NodeView
  readonly vip?: string
  readonly targetPort?: number
}

/** Service `dns` (UDP port 53, node port 30053) with these endpoints. */
export const meaning = (
  pods: readonly Endpoint[],
  { name = 'dns', protocol = 'UDP', targetPort = 5353, ...rest }: Meaning = {},
): Forwarding => {
  const { node: view = node(), vip, ...spec } = rest
  const ports: ServicePort[] = [...(spec.ports ?? [port(53, { protocol, nodePort: 30_053 })])]
  const object = service(name, { type: 'NodePort', ...spec, ports }, vip === undefined ? {} : { status: vips(vip) })
  const targets = ports.map((each) => ({ port: targetPort, protocol: each.protocol ?? 'TCP', name: each.name ?? '' }))
  const result = serviceForwarding({ service: object, slices: [slice(name, pods, { ports: targets })], node: view }, 'IPv4')
  if (result.kind !== 'forwarding') throw new Error(result.reason)
  return result.forwarding
}

/** A packet as the model sees it on a node. */
export const verdictOf = (rules: Iterable<Forwarding>, packet: FakePacket, view: NodeView): Verdict => {
  const { source, destination, protocol } = packet
  const origin = { class: sourceClassifier(view)(source.address, destination.address), address: source.address }
  const verdicts = [...rules].map((forwarding) => decide(forwarding, { source: origin, destination, protocol }, view))
  // An address of its own goes before a NodePort on the same one.
  return (
    verdicts.find((verdict) => 'matched' in verdict && verdict.matched?.frontend.address !== undefined) ??
    verdicts.find(({ kind }) => kind !== 'none') ?? { kind: 'none' }
  )
}

export interface FlowWorld {
  readonly kernel: FakeConntrack
  readonly registry: Registry
  readonly carried: ReadonlyMap<string, Forwarding>
  readonly node: NodeView
  /** Sync and clean. */
  carry(set: readonly Forwarding[], options?: CarryOptions): Promise<CleanReport>
  /** A sync that fails: its rules are in for a while, the books stay as they were. */
  failToCarry(set: readonly Forwarding[], during: () => void): void
  sweep(): Promise<CleanReport>
  /** As after an audit that found rules missing. */
  repair(): Promise<CleanReport>
  /** Another process takes over: it knows nothing, and finds the flows as they are. */
  restart(set: readonly Forwarding[]): Promise<CleanReport>
  /** Gives who got it. */
  send(from: keyof typeof CLIENTS, to: string, options?: SendOptions): string
}

export interface CarryOptions {
  readonly gone?: readonly string[]
  readonly full?: boolean
  readonly node?: NodeView
}

export interface SendOptions {
  readonly port?: number
  readonly destination?: number
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
}

/** A node without a machine: rules as the model has them, a kernel that remembers flows, and a cleaner. Source port 4000 + n takes candidate n. */
export const flowWorld = (): FlowWorld => {
  const kernel = fakeConntrack()
  const registry = new Registry()
  const metrics = createFlowMetrics(registry)
  const newCleaner = (): FlowCleaner => createFlowCleaner({ conntrack: kernel, clock: pausedClock(), log: silentLogger, metrics })
  let cleaner = newCleaner()
  let carried = new Map<string, Forwarding>()
  let view = node()
  const obey = (rules: ReadonlyMap<string, Forwarding>): void => {
    kernel.setRules((packet) => {
      const verdict = verdictOf(rules.values(), packet, view)
      if (verdict.kind === 'none') return { kind: 'accept' }
      if (verdict.kind !== 'dnat') return { kind: 'drop' }
      const { address, port: number } = verdict.candidates[packet.source.port % verdict.candidates.length] ?? packet.destination
      return { kind: 'accept', destination: { address, port: number } }
    })
  }
  const carry = (set: readonly Forwarding[], { gone = [], full = false, node: next = view }: CarryOptions = {}) => {
    const before = carried
    carried = new Map([...(full ? [] : before)].filter(([key]) => !gone.includes(key)))
    for (const forwarding of set) carried.set(forwarding.key, forwarding)
    view = next
    obey(carried)
    return cleaner.afterSync(before, { full, set, delete: gone, node: view })
  }
  return {
    kernel,
    registry,
    get carried() {
      return carried
    },
    get node() {
      return view
    },
    carry,
    failToCarry(set, during) {
      obey(new Map([...carried, ...set.map((each) => [each.key, each] as const)]))
      during()
      obey(carried)
      cleaner.afterFailure({ full: false, set, delete: [], node: view })
    },
    sweep: () => cleaner.sweep(carried, view),
    repair: () => cleaner.afterRepair(carried, view),
    restart(set) {
      cleaner = newCleaner()
      carried = new Map()
      return carry(set, { full: true })
    },
    send(from, to, { port: number = 4000, destination = to === NODE ? 30_053 : 53, protocol = 'UDP' } = {}) {
      const source = { address: CLIENTS[from], port: number }
      return kernel.send({ protocol, source, destination: { address: to, port: destination } })?.address ?? 'nobody'
    },
  }
}
