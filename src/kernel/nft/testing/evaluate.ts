import { cidrContains, formatAddress, parseCIDR, readAddress } from '../../../ip/index.ts'
import type { FakeSet, FakeTable } from './fake-table.ts'

/** The first packet of a connection. */
export interface FakePacket {
  readonly hook: 'prerouting' | 'output'
  readonly source: string
  /** What `fib saddr type local` says. */
  readonly isSourceLocal: boolean
  readonly destination: { readonly address: string; readonly port: number }
  readonly protocol: 'tcp' | 'udp' | 'sctp'
}

export type FakeVerdict =
  | { readonly kind: 'accept' | 'drop' | 'reject' }
  /** `to` is an address and a port as elements have them: `10.0.0.1 . 80`. */
  | { readonly kind: 'dnat'; readonly to: string; readonly masquerade: boolean }

/** Registers of a packet on its way. */
interface Run {
  readonly table: FakeTable
  readonly packet: FakePacket
  readonly random: () => number
  readonly original: { readonly address: string; readonly port: number }
  destination: { readonly address: string; readonly port: number }
  isTranslated: boolean
  priority: string
  mark: string
}

type End = 'accept' | 'drop' | 'reject' | 'dnat' | 'masquerade'
/** Of a statement: go on, this rule does not match, or leave the chain. */
type Step = 'next' | 'break' | 'return' | { readonly goto: string } | { readonly jump: string } | { readonly end: End }

export const evaluate = (tables: ReadonlyMap<string, FakeTable>, packet: FakePacket, random: () => number): FakeVerdict => {
  const family = packet.source.includes(':') ? 'ip6' : 'ip'
  const { destination } = packet
  for (const table of tables.values()) {
    if (table.family !== family) continue
    const run: Run = {
      table,
      packet,
      random,
      original: destination,
      destination,
      isTranslated: false,
      priority: '0:0',
      mark: '0',
    }
    const end = runHook(run, packet.hook)
    if (end === 'accept' || end === 'masquerade') continue
    if (end !== 'dnat') return { kind: end }
    if (run.mark !== '0') throw new Error(`fake nft: connection keeps mark ${run.mark}`)
    const { address, port } = run.destination
    return { kind: 'dnat', to: `${address} . ${port}`, masquerade: runHook(run, 'postrouting') === 'masquerade' }
  }
  return { kind: 'accept' }
}

const runHook = (run: Run, hook: string): End => {
  for (const [name, chain] of run.table.chains) if (chain.hook?.hook === hook) return runChain(run, name) ?? 'accept'
  return 'accept'
}

/** Undefined when the end of the chain is reached. */
const runChain = (run: Run, name: string): End | undefined => {
  for (const { text } of run.table.chains.get(name)?.rules ?? []) {
    const step = runRule(run, text)
    if (step === 'return') return undefined
    if (typeof step === 'string') continue
    if ('end' in step) return step.end
    if ('goto' in step) return runChain(run, step.goto)
    const end = runChain(run, step.jump)
    if (end !== undefined) return end
  }
  return undefined
}

const runRule = (run: Run, rule: string): Step => {
  let rest = rule
  while (rest !== '') {
    const statement = STATEMENTS.find(([pattern]) => pattern.test(rest))
    if (statement === undefined) throw new Error(`fake nft: rule text ${JSON.stringify(rest)} is unknown`)
    const [pattern, act] = statement
    const [text = '', ...words] = pattern.exec(rest) ?? []
    const step = act(run, words)
    if (step !== 'next') return step
    rest = rest.slice(text.length).trimStart()
  }
  return 'next'
}

const FIELD = '(?:ip6? [sd]addr|meta l4proto|th dport|meta priority|ct mark|ct original ip6? daddr|ct original proto-dst)'
const KEY = `(${FIELD}(?: \\. ${FIELD})*)`
const statement = (text: string): RegExp => new RegExp(`^${text}(?= |$)`)

type Statement = readonly [RegExp, (run: Run, words: readonly string[]) => Step]

const STATEMENTS: readonly Statement[] = [
  [statement('goto ([\\w-]+)'), (_, [chain = '']) => ({ goto: chain })],
  [statement('jump ([\\w-]+)'), (_, [chain = '']) => ({ jump: chain })],
  [statement('return'), () => 'return'],
  [statement('drop'), () => ({ end: 'drop' })],
  [statement('reject with tcp reset'), ({ packet }) => (packet.protocol === 'tcp' ? { end: 'reject' } : 'break')],
  [statement('reject'), () => ({ end: 'reject' })],
  [statement('masquerade fully-random'), () => ({ end: 'masquerade' })],
  [statement('meta l4proto (tcp|udp|sctp)'), ({ packet }, [protocol]) => (packet.protocol === protocol ? 'next' : 'break')],
  [statement('fib saddr type local'), ({ packet }) => (packet.isSourceLocal ? 'next' : 'break')],
  [statement('ct status dnat'), ({ isTranslated }) => (isTranslated ? 'next' : 'break')],
  [statement('ct mark != 0'), ({ mark }) => (mark !== '0' ? 'next' : 'break')],
  // Not the kernel's hash, but as good: equal for equal text.
  [
    statement(`ct mark set jhash ${KEY} mod 4294967295 seed 0x[0-9a-f]+`),
    (run, [key = '']) => {
      let hash = 0
      for (const char of valueOfKey(run, key)) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0
      return setRegister(run, 'mark', String(hash % 4294967295))
    },
  ],
  [statement('ct mark set 0'), (run) => setRegister(run, 'mark', '0')],
  [
    statement('meta priority set numgen random mod (\\d+) offset (\\d+)'),
    (run, [mod = '1', offset = '0']) => {
      const number = Math.floor(run.random() * Number(mod)) + Number(offset)
      return setRegister(run, 'priority', `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`)
    },
  ],
  [
    statement(`meta priority set ${KEY} map @([\\w-]+)`),
    (run, [key, map]) => setRegister(run, 'priority', lookUp(run, key, map)),
  ],
  [statement(`ct mark set ${KEY} map @([\\w-]+)`), (run, [key, map]) => setRegister(run, 'mark', lookUp(run, key, map))],
  [
    statement(`${KEY} vmap @([\\w-]+)`),
    (run, [key, map]) => {
      const verdict = lookUp(run, key, map)
      return verdict === undefined ? 'break' : runRule(run, verdict)
    },
  ],
  [statement(`${KEY} @([\\w-]+)`), (run, [key, set]) => (lookUp(run, key, set) === undefined ? 'break' : 'next')],
  [statement(`${KEY} != @([\\w-]+)`), (run, [key, set]) => (lookUp(run, key, set) === undefined ? 'next' : 'break')],
  [
    statement(`dnat ip6? to ${KEY} map @([\\w-]+)`),
    (run, [key, map]) => {
      const [address = '', port] = lookUp(run, key, map)?.split(' . ') ?? []
      if (port === undefined) return 'break'
      run.destination = { address, port: Number(port) }
      run.isTranslated = true
      return { end: 'dnat' }
    },
  ],
  [
    statement(`update @([\\w-]+) \\{ ${KEY} timeout \\d+s : ${KEY} \\}`),
    (run, [map, key = '', data = '']) => {
      // As the kernel: data of an element that is there stays.
      const { elements } = setNamed(run, map)
      const at = valueOfKey(run, key)
      if (!elements.has(at)) elements.set(at, valueOfKey(run, data))
      return 'next'
    },
  ],
  [
    statement(`delete @([\\w-]+) \\{ ${KEY} : ${KEY} \\}`),
    (run, [map, key = '']) => (setNamed(run, map).elements.delete(valueOfKey(run, key)) ? 'next' : 'break'),
  ],
]

const setRegister = (run: Run, register: 'mark' | 'priority', value: string | undefined): Step => {
  if (value === undefined) return 'break'
  run[register] = value
  return 'next'
}

const setNamed = ({ table }: Run, name = ''): FakeSet => {
  const set = table.sets.get(name)
  if (set === undefined) throw new Error(`fake nft: no set ${name}`)
  return set
}

const valueOfKey = (run: Run, key: string): string =>
  key
    .split(' . ')
    .map((field) => fieldValue(run, field))
    .join(' . ')

const fieldValue = (run: Run, field: string): string => {
  if (/^ct original ip6? daddr$/.test(field)) return run.original.address
  if (/^ip6? saddr$/.test(field)) return run.packet.source
  if (/^ip6? daddr$/.test(field)) return run.destination.address
  if (field === 'ct original proto-dst') return String(run.original.port)
  if (field === 'th dport') return String(run.destination.port)
  if (field === 'meta l4proto') return run.packet.protocol
  return field === 'ct mark' ? run.mark : run.priority
}

/** The value, empty for sets, or undefined. Intervals are in the last field. */
const lookUp = (run: Run, key = '', name = ''): string | undefined => {
  const { spec, elements } = setNamed(run, name)
  const wanted = valueOfKey(run, key)
  if (spec.flags?.includes('interval') !== true) return elements.get(wanted)
  const fields = wanted.split(' . ')
  const address = readAddress(fields.at(-1) ?? '')?.address
  for (const [member, value] of elements) {
    const parts = member.split(' . ')
    if (parts.slice(0, -1).join(' . ') !== fields.slice(0, -1).join(' . ')) continue
    const last = parts.at(-1) ?? ''
    const cidr = parseCIDR(last)
    const isInside = cidr !== undefined && address !== undefined && cidrContains(cidr, address)
    if (isInside || (address !== undefined && formatAddress(address) === last)) return value
  }
  return undefined
}
