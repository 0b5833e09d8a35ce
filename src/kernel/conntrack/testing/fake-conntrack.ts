import type { Conntrack, ConntrackEntry, FlowEnd, FlowProtocol } from '../entries.ts'
import { wantedDestination } from '../wanted.ts'

export interface FakePacket {
  readonly protocol: FlowProtocol
  readonly source: FlowEnd
  readonly destination: FlowEnd
}

/** What the rules say to the first packet of a flow; a packet that is dropped or refused leaves no entry. */
export type FakeVerdict =
  | { readonly kind: 'accept'; readonly destination?: FlowEnd; readonly source?: FlowEnd }
  | { readonly kind: 'drop' }

export interface FakeConntrack extends Conntrack {
  /** From now on first packets go by these rules; flows that have an entry go on as they did. */
  setRules(rules: (packet: FakePacket) => FakeVerdict): void
  /** Where a packet really goes; undefined when it was dropped. */
  send(packet: FakePacket): FlowEnd | undefined
  readonly entries: readonly ConntrackEntry[]
  /** Dumps so far. */
  readonly lists: number
  /** The next such call rejects with this error. */
  failNext(call: 'list' | 'remove', error: Error): void
}

/** Connection tracking without a kernel: packets make entries, entries say where packets go, a removal has the rules judge again. */
export const fakeConntrack = (): FakeConntrack => {
  const table = new Map<string, ConntrackEntry>()
  const failures = new Map<'list' | 'remove', Error>()
  let rules: (packet: FakePacket) => FakeVerdict = () => ({ kind: 'accept' })
  let lastId = 0
  let lists = 0
  const failIfTold = (call: 'list' | 'remove'): void => {
    const failure = failures.get(call)
    failures.delete(call)
    if (failure !== undefined) throw failure
  }
  return {
    probe: async () => undefined,
    async list(filter) {
      lists++
      failIfTold('list')
      const isWanted = wantedDestination(filter)
      return [...table.values()].filter(
        ({ family, protocol, original }) =>
          family === filter.family && protocol === filter.protocol && isWanted(original.destination),
      )
    },
    async remove(entries) {
      failIfTold('remove')
      let removed = 0
      for (const entry of entries) {
        const key = keyOf({ protocol: entry.protocol, ...entry.original })
        if (table.get(key)?.id !== entry.id) continue
        table.delete(key)
        removed++
      }
      return removed
    },
    setRules(next) {
      rules = next
    },
    send(packet) {
      const key = keyOf(packet)
      const known = table.get(key)
      if (known !== undefined) return known.reply.source
      const verdict = rules(packet)
      if (verdict.kind === 'drop') return undefined
      const entry = entryOf(packet, verdict, ++lastId)
      table.set(key, entry)
      return entry.reply.source
    },
    get entries() {
      return [...table.values()]
    },
    get lists() {
      return lists
    },
    failNext: (call, error) => void failures.set(call, error),
  }
}

const entryOf = (packet: FakePacket, verdict: FakeVerdict & { kind: 'accept' }, id: number): ConntrackEntry => ({
  family: packet.destination.address.includes(':') ? 'IPv6' : 'IPv4',
  protocol: packet.protocol,
  original: { source: packet.source, destination: packet.destination },
  reply: { source: verdict.destination ?? packet.destination, destination: verdict.source ?? packet.source },
  mark: 0,
  id,
  replied: false,
})

const keyOf = ({ protocol, source, destination }: FakePacket): string =>
  `${protocol} ${source.address} ${source.port} ${destination.address} ${destination.port}`
