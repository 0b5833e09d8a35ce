import { entryMatches, type SetPacket, type SetType } from '../../../kernel/ipset/index.ts'
import { renderOperation, type ServerAddress, serverText } from '../../../kernel/ipvs/index.ts'
import { canonical, type Packet } from '../../../model/index.ts'
import { chainsOf, ENTRIES } from './chains.ts'
import { chainsWanted } from './diff-chains.ts'
import { familyOfAddress, type Item } from './items.ts'
import { setsOf } from './sets.ts'
import type { Carried, State } from './state.ts'
import { type Rulebook, type WalkPacket, walk } from './walk.ts'

/**
 * The rules, the virtual server and its real servers that a packet meets, in its order, as `iptables` and `ipvsadm` take them; empty when it is for no
 * Service. Lists what is carried, so it is for people.
 */
export const trace = (state: State, packet: Packet): readonly string[] => {
  const address = canonical(packet.destination.address)
  const concerned = [...state.carried()].filter((each) => concerns(each, address))
  const family = familyOfAddress(address)
  if (concerned.length === 0 || !state.families.includes(family)) return []
  // The redirects of other Services say nothing here.
  const items = [...state.nodeItems(), ...concerned.flatMap((each) => each.items)]
  const redirects = items.flatMap((item) => (item.kind === 'redirect' ? [item.redirect] : []))
  const { rules } = chainsWanted(chainsOf({ ...state.facts(family), redirects }))
  const entry = (table: string, chain: string): readonly string[] =>
    ENTRIES.filter((each) => each.table === table && each.chain === chain).map(({ rule }) => rule)
  const types = new Map(setsOf(family).map(({ name, type }) => [name, type]))
  const book: Rulebook = {
    rulesOf: (table, chain) => rules.get(`${table} ${chain}`) ?? entry(table, chain),
    matches: (set, directions, each) =>
      items.some(
        (item) =>
          item.kind === 'member' &&
          item.member.set === set &&
          entryMatches(types.get(set) ?? UNKNOWN, item.member.entry, { directions, packet: each }),
      ),
  }
  return passage(book, items, packet)
}

const UNKNOWN: SetType = 'hash:ip'

const concerns = ({ items, forwarding }: Carried, address: string): boolean =>
  forwarding.clusterIP === address ||
  items.some((item) => item.kind === 'server' && item.server.address === address) ||
  items.some((item) => item.kind === 'redirect' && item.redirect.address === address)

const passage = (book: Rulebook, items: readonly Item[], { source, destination, protocol }: Packet): readonly string[] => {
  const met: string[] = []
  let packet: WalkPacket = {
    source: canonical(source.address),
    isSourceLocal: source.class === 'node',
    destination: { address: canonical(destination.address), port: destination.port },
    protocol: ({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const)[protocol],
    mark: 0,
  }
  const through = (table: 'mangle' | 'nat' | 'filter', chain: string): boolean => {
    const passed = walk(book, { table, chain }, packet)
    met.push(...passed.met)
    packet = passed.packet
    if (passed.ending.kind === 'dnat') packet = { ...packet, destination: passed.ending.to }
    return passed.ending.kind !== 'drop' && passed.ending.kind !== 'reject'
  }
  const isLocal = source.class === 'node'
  const first = isLocal ? 'OUTPUT' : 'PREROUTING'
  if (!through('mangle', first) || !through('nat', first)) return met
  // What this node sends meets ipvs before the filter table.
  if (!isLocal && !through('filter', 'INPUT')) return met
  const server = serverAt(items, packet)
  if (server.length === 0) {
    through('filter', 'OUTPUT')
    return met
  }
  met.push(...server)
  through('nat', 'POSTROUTING')
  return met
}

const serverAt = (items: readonly Item[], { destination, protocol }: SetPacket): readonly string[] => {
  const at: ServerAddress = { protocol, ...destination }
  return items.flatMap((item) => {
    if (item.kind === 'server' && serverText(item.server) === serverText(at)) {
      return [renderOperation({ kind: 'add server', server: item.server })]
    }
    if (item.kind === 'real' && serverText(item.server) === serverText(at)) {
      return [renderOperation({ kind: 'add real', server: item.server, real: item.real })]
    }
    return []
  })
}
