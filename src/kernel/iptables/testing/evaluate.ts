import { type IPProtocol, matches, type PacketView, probabilityOf, type Rule, type TableName } from '../index.ts'
import type { FakeTable } from './fake-tables.ts'

/** The first packet of a connection. */
export interface FakePacket {
  readonly hook: 'prerouting' | 'output'
  readonly source: string
  readonly destination: { readonly address: string; readonly port: number }
  readonly protocol: IPProtocol
  /** Of the machine that evaluates. */
  readonly localAddresses: readonly string[]
}

export type FakeVerdict =
  | { readonly kind: 'accept' | 'drop' | 'reject' }
  /** `to` as the rule has it: `10.0.0.1:80`, `[fd00::1]:80`. */
  | { readonly kind: 'dnat'; readonly to: string; readonly masquerade: boolean }

/** What the rules depend on beside the packet: chance, the time in seconds, and who was seen when by the lists of `recent`. */
export interface FakeState {
  readonly random: () => number
  readonly now: () => number
  readonly seen: Map<string, Map<string, number>>
}

/** A packet on its way. */
interface Run {
  readonly tables: ReadonlyMap<TableName, FakeTable>
  readonly state: FakeState
  packet: PacketView
  /** What is left of chance: uniform, whatever rules it was asked by before. */
  luck: number
  translated: string | undefined
}

type End = 'accept' | 'drop' | 'reject' | 'dnat' | 'masquerade'

/** Through nat, filter and nat again, by the hooks that a packet passes. */
export const evaluate = (tables: ReadonlyMap<TableName, FakeTable>, packet: FakePacket, state: FakeState): FakeVerdict => {
  const { hook, source, destination, protocol, localAddresses } = packet
  const isLocal = (address: string): boolean => localAddresses.includes(address)
  const run: Run = {
    tables,
    state,
    packet: { source, destination, protocol, mark: 0, states: ['NEW'], isLocal },
    luck: state.random(),
    translated: undefined,
  }
  const isOutput = hook === 'output'
  runBuiltIn(run, 'nat', isOutput ? 'OUTPUT' : 'PREROUTING')
  const isDelivered = isLocal(run.packet.destination.address)
  const filters = isOutput ? (isDelivered ? ['OUTPUT', 'INPUT'] : ['OUTPUT']) : isDelivered ? ['INPUT'] : ['FORWARD']
  for (const chain of filters) {
    const end = runBuiltIn(run, 'filter', chain)
    if (end === 'drop' || end === 'reject') return { kind: end }
  }
  if (run.translated === undefined) return { kind: 'accept' }
  const passesPostrouting = isOutput || !isDelivered
  return {
    kind: 'dnat',
    to: run.translated,
    masquerade: passesPostrouting && runBuiltIn(run, 'nat', 'POSTROUTING') === 'masquerade',
  }
}

const runBuiltIn = (run: Run, table: TableName, chain: string): End => runChain(run, table, chain) ?? 'accept'

/** Undefined when the end of the chain is reached. */
const runChain = (run: Run, table: TableName, chain: string): End | undefined => {
  for (const { rule } of run.tables.get(table)?.get(chain)?.rules ?? []) {
    if (!matches(rule, run.packet) || !isLucky(rule, run) || !wasSeen(rule, run)) continue
    const step = act(run, table, rule)
    if (step === 'return') return undefined
    if (step !== 'next') return step
  }
  return undefined
}

/** One draw decides all of a chain's shares, so that a test can choose among endpoints by one number. */
const isLucky = ({ chance }: Rule, run: Run): boolean => {
  if (chance === undefined) return true
  const share = probabilityOf(chance)
  const isTaken = run.luck < share
  run.luck = isTaken ? run.luck / share : (run.luck - share) / (1 - share)
  return isTaken
}

const wasSeen = ({ recent }: Rule, { state, packet }: Run): boolean => {
  if (recent === undefined) return true
  const list = state.seen.get(recent.list) ?? new Map<string, number>()
  state.seen.set(recent.list, list)
  switch (recent.kind) {
    case 'set':
      list.set(packet.source, state.now())
      return true
    case 'check': {
      for (const [source, time] of list) if (state.now() - time > recent.seconds) list.delete(source)
      return list.has(packet.source)
    }
    default:
      return recent satisfies never
  }
}

const act = (run: Run, table: TableName, { target }: Rule): End | 'next' | 'return' => {
  if (target === undefined) return 'next'
  switch (target.kind) {
    case 'jump':
      return runChain(run, table, target.chain) ?? 'next'
    case 'verdict':
      return ({ ACCEPT: 'accept', DROP: 'drop', RETURN: 'return' } as const)[target.verdict]
    case 'mark':
      run.packet = { ...run.packet, mark: (run.packet.mark & ~target.mask) ^ target.value }
      return 'next'
    case 'dnat': {
      const [, address = '', port = ''] = /^\[?(.+?)\]?:(\d+)$/.exec(target.to) ?? []
      run.translated = target.to
      run.packet = { ...run.packet, destination: { address, port: Number(port) }, states: ['NEW', 'DNAT'] }
      return 'dnat'
    }
    case 'masquerade':
      if (run.packet.mark !== 0) throw new Error(`fake iptables: mark ${run.packet.mark} leaves the machine`)
      return 'masquerade'
    case 'reject':
      return 'reject'
    default:
      return target satisfies never
  }
}
