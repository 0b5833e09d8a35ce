import { cidrContains, parseCIDR, readAddress } from '../../../ip/index.ts'
import { type Element, tableText } from '../../../kernel/nft/index.ts'
import { canonical, type Packet } from '../../../model/index.ts'
import type { Books } from './books.ts'
import type { FamilyTable } from './family-table.ts'
import { BY_SOURCE, type ChainLayout, choiceLayout, DROP, fixedChains, masquerades, REFUSE } from './layout.ts'
import { hairpinKey, placesOf, renderForwarding } from './render.ts'

/**
 * The rules and elements that the first packet of a connection meets, in its order: the rules that match, and the elements that make them. Where
 * chance or a remembered client decides, all that may come. Empty when the packet is nobody's frontend.
 */
export const traceLines = (tables: readonly FamilyTable[], packet: Packet): readonly string[] => {
  const destination = canonical(packet.destination.address)
  const table = tables.find(({ family }) => (family === 'IPv6') === destination.includes(':'))
  if (table === undefined) return []
  const place = `${destination} . ${packet.protocol.toLowerCase()} . ${packet.destination.port}`
  const elements = [...table.books.nodeElements(), ...elementsAt(table.books, destination, place)]
  const walk = new Walk(table, { packet, place, destination, elements })
  return walk.run() ? walk.lines : []
}

/** What the Service has that serves the frontend or, at another port, the ClusterIP. */
const elementsAt = (books: Books, destination: string, place: string): readonly Element[] => {
  let other: readonly Element[] = []
  for (const [key, carried] of books.carried) {
    if (books.refused.has(key)) continue
    const { forwarding } = carried
    const isFrontend = forwarding.ports.some((port) =>
      placesOf(forwarding, port, books.context()).some((each) => each.key === place),
    )
    if (!isFrontend && forwarding.clusterIP !== destination) continue
    const { elements, hairpins } = renderForwarding(carried, books.context())
    const all = [...elements, ...[...hairpins].map((address) => ({ set: 'hairpin', key: hairpinKey(address) }))]
    if (isFrontend) return all
    other = all
  }
  return other
}

interface WalkInput {
  readonly packet: Packet
  readonly place: string
  readonly destination: string
  readonly elements: readonly Element[]
}

class Walk {
  readonly lines: string[]
  readonly #table: FamilyTable
  readonly #input: WalkInput
  readonly #sets = new Map<string, Map<string, string | undefined>>()
  readonly #chains: ReadonlyMap<string, ChainLayout>

  constructor(table: FamilyTable, input: WalkInput) {
    this.#table = table
    this.#input = input
    this.#chains = new Map(fixedChains(table.family).map((chain) => [chain.name, chain]))
    this.lines = [tableText(table.table)]
    for (const { set, key, value } of input.elements) {
      const members = this.#sets.get(set) ?? new Map<string, string | undefined>()
      this.#sets.set(set, members.set(key, value))
    }
  }

  /** Whether the packet concerns us at all. */
  run(): boolean {
    const { packet, place } = this.#input
    this.#rule(packet.source.class === 'node' ? 'output' : 'prerouting', 'goto dispatch')
    const first = this.#mapped('services')
    if (first === undefined) return this.#refusedAddress()
    this.#verdict('verdicts', first)
    if (first === BY_SOURCE && !this.#isAllowed()) return true
    const choice = first === BY_SOURCE ? this.#choiceBySource() : first
    if (choice === undefined) return this.#all('refuse')
    if (choice === DROP) return true
    if (choice === REFUSE) return this.#all('refuse')
    for (const { name, rules } of choiceLayout(this.#table.family, choice))
      for (const rule of rules) this.#line(`chain ${name}`, rule)
    this.#endpoints(choice)
    this.#masquerading(place)
    return true
  }

  #isAllowed(): boolean {
    const { place } = this.#input
    if (!this.#has('restricted', place)) return true
    this.#line('set restricted', place)
    const range = this.#containing('allowed', `${place} . `)
    if (range === undefined) this.#rule('by-source', ' drop')
    else this.#line('set allowed', range)
    return range !== undefined
  }

  /** The value that the packet's class of sources has for the frontend. */
  #choiceBySource(): string | undefined {
    const source = this.#input.packet.source.class
    this.#rule('by-source', `goto from-${source}`)
    const special = source === 'outside' ? undefined : this.#mapped(`services-${source}`)
    if (source !== 'outside' && special === undefined) this.#rule(`from-${source}`, 'goto from-outside')
    const choice = special ?? this.#mapped('services-outside')
    if (choice !== undefined) this.#verdict('verdicts-by-source', choice)
    return choice
  }

  /** What a map has for the frontend. */
  #mapped(map: string): string | undefined {
    const { place } = this.#input
    const value = this.#sets.get(map)?.get(place)
    if (value !== undefined) this.#line(`map ${map}`, `${place} : ${value}`)
    return value
  }

  #verdict(map: string, choice: string): void {
    this.#line(`map ${map}`, `${choice} : ${choice === DROP ? 'drop' : `goto ${this.#chainOf(choice)}`}`)
  }

  #refusedAddress(): boolean {
    const { destination } = this.#input
    const range = this.#containing('service-cidrs', '', destination)
    if (this.#has('cluster-ips', destination)) this.#line('set cluster-ips', destination)
    else if (range !== undefined) this.#line('set service-cidrs', range)
    else return false
    return this.#all('refuse')
  }

  #endpoints(choice: string): void {
    const { place } = this.#input
    const members = (set: string, prefix: string): void => {
      for (const [key, value] of this.#sets.get(set) ?? [])
        if (key.startsWith(prefix)) this.#line(`map ${set}`, `${key} : ${value}`)
    }
    const isLocal = Number.parseInt(choice.split(':')[1] ?? '0', 16) > 0x8000
    for (const [key, value] of this.#sets.get('endpoints') ?? []) {
      const isOfSet =
        key.startsWith(`${place} . `) && Number.parseInt(key.slice(key.lastIndexOf(':') + 1), 16) > 0x8000 === isLocal
      if (isOfSet) this.#line('map endpoints', `${key} : ${value}`)
    }
    const number = this.#sets.get('ports')?.get(place)
    if (number === undefined) return
    this.#line('map ports', `${place} : ${number}`)
    members('choices', `${number} . `)
    members('numbered', '')
  }

  #masquerading(place: string): void {
    const { packet } = this.#input
    const source = canonical(packet.source.address)
    if (this.#has('hairpin', hairpinKey(source))) this.#line('set hairpin', hairpinKey(source))
    const set = masquerades(packet.source.class)
    if (!this.#has(set, place)) return
    this.#line(`set ${set}`, place)
    this.#rule(`masquerading-${packet.source.class}`, `meta l4proto ${packet.protocol.toLowerCase()} `)
  }

  #chainOf(choice: string): string {
    if (choice === BY_SOURCE) return 'by-source'
    return choice === REFUSE ? 'refuse' : (choiceLayout(this.#table.family, choice).at(-1)?.name ?? '')
  }

  #has(set: string, key: string): boolean {
    return this.#sets.get(set)?.has(key) === true
  }

  /** The interval behind `before` that the source, or another address, is in. */
  #containing(set: string, before: string, address = this.#input.packet.source.address): string | undefined {
    const wanted = readAddress(address)?.address
    return [...(this.#sets.get(set)?.keys() ?? [])].find((key) => {
      if (!key.startsWith(before)) return false
      const text = key.slice(before.length)
      const cidr = parseCIDR(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)
      return cidr !== undefined && wanted !== undefined && cidrContains(cidr, wanted)
    })
  }

  /** The rule of a fixed chain that holds these words. */
  #rule(chain: string, words: string): void {
    const rule = this.#chains.get(chain)?.rules.find((each) => each.includes(words))
    if (rule !== undefined) this.#line(`chain ${chain}`, rule)
  }

  #all(chain: string): true {
    for (const rule of this.#chains.get(chain)?.rules ?? []) this.#line(`chain ${chain}`, rule)
    return true
  }

  #line(what: string, text: string): void {
    this.lines.push(`${what}: ${text}`)
  }
}
