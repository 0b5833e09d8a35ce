import { matches, type PacketView, parseRule, type Rule, type TableName } from '../../../kernel/iptables/index.ts'
import { canonical, type NodeView, type Packet } from '../../../model/index.ts'
import type { Books } from './diff.ts'

/**
 * The rules that take a packet, in its order, as `iptables -t TABLE -S` prints them; empty when it concerns no Service. Rules that depend on chance
 * or on a client's past are all there, with where they lead.
 */
export const trace = (books: Books, packet: Packet, node: NodeView): readonly string[] => {
  const walk: Walk = { books, lines: [], isTranslated: false, isConcerned: false, isMarked: false, packet: viewOf(packet, node) }
  const isOutput = packet.source.class === 'node'
  walkChain(walk, 'nat', isOutput ? 'OUTPUT' : 'PREROUTING')
  if (walk.isTranslated) {
    if (walk.isMarked) walkChain({ ...walk, packet: { ...walk.packet, mark: MARKED } }, 'nat', 'POSTROUTING')
  } else {
    const isDelivered = walk.packet.isLocal(walk.packet.destination.address)
    for (const chain of [...(isOutput ? ['OUTPUT'] : []), isDelivered ? 'INPUT' : 'FORWARD']) walkChain(walk, 'filter', chain)
  }
  return walk.isConcerned ? walk.lines : []
}

/** Every bit: whichever of them says masquerade. */
const MARKED = 0xffff_ffff

interface Walk {
  readonly books: Books
  readonly lines: string[]
  readonly packet: PacketView
  isTranslated: boolean
  isMarked: boolean
  /** Whether a rule took it that names an address or port. */
  isConcerned: boolean
}

const viewOf = ({ source, destination, protocol }: Packet, node: NodeView): PacketView => {
  const own = new Set([...node.addresses, ...node.nodePortAddresses].map(canonical))
  const from = canonical(source.address)
  return {
    source: from,
    destination: { address: canonical(destination.address), port: destination.port },
    protocol: ({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const)[protocol],
    mark: 0,
    states: ['NEW'],
    isLocal: (address) => (address === from ? source.class === 'node' : own.has(address)),
  }
}

/** Whether the packet surely goes no further than the chain. */
const walkChain = (walk: Walk, table: TableName, chain: string): 'next' | 'end' => {
  for (const text of walk.books.rulesOf(table, chain)) {
    const rule = parseRule(text)
    if (rule === undefined || !matches(rule, walk.packet)) continue
    walk.lines.push(`-t ${table} -A ${chain} ${text}`)
    walk.isConcerned ||= rule.destinationPort !== undefined || (rule.destination !== undefined && rule.target?.kind === 'reject')
    const step = act(walk, table, rule)
    const isSure = rule.chance === undefined && rule.recent?.kind !== 'check'
    if (step === 'return') return 'next'
    if (step === 'end' && isSure) return 'end'
  }
  return 'next'
}

const act = (walk: Walk, table: TableName, { target }: Rule): 'next' | 'end' | 'return' => {
  if (target === undefined) return 'next'
  switch (target.kind) {
    case 'jump':
      return walkChain(walk, table, target.chain)
    case 'mark':
      walk.isMarked = true
      return 'next'
    case 'dnat':
      walk.isTranslated = true
      return 'end'
    case 'verdict':
      return target.verdict === 'RETURN' ? 'return' : 'end'
    case 'masquerade':
    case 'reject':
      return 'end'
    default:
      return target satisfies never
  }
}
