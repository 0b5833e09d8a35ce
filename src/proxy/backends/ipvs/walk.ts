import type { Direction, SetPacket } from '../../../kernel/ipset/index.ts'
import type { TableName } from '../../../kernel/iptables/index.ts'

/** The first packet of a connection on its way through chains. */
export interface WalkPacket extends SetPacket {
  readonly isSourceLocal: boolean
  readonly mark: number
}

/** Where the rules and sets are. */
export interface Rulebook {
  rulesOf(table: TableName, chain: string): readonly string[]
  matches(set: string, directions: readonly Direction[], packet: SetPacket): boolean
}

type Ending =
  | { readonly kind: 'accept' | 'drop' | 'reject' | 'masquerade' }
  /** The rest of its way has this destination. */
  | { readonly kind: 'dnat'; readonly to: SetPacket['destination'] }

export interface Passage {
  readonly ending: Ending
  readonly packet: WalkPacket
  /** The rules that it met, as `iptables` takes them. */
  readonly met: readonly string[]
}

/** A packet through one of the kernel's own chains and all that it leads to. Fails on a rule that this mode never writes. */
export const walk = (
  book: Rulebook,
  start: { readonly table: TableName; readonly chain: string },
  packet: WalkPacket,
): Passage => {
  const run: Run = { book, table: start.table, packet, met: [] }
  const ending = runChain(run, start.chain) ?? { kind: 'accept' }
  return { ending, packet: run.packet, met: run.met }
}

interface Run {
  readonly book: Rulebook
  readonly table: TableName
  packet: WalkPacket
  readonly met: string[]
}

/** Undefined when the end of the chain is reached, or of the one that it was left for. */
const runChain = (run: Run, chain: string): Ending | undefined => {
  for (const rule of rulesOf(run.book.rulesOf(run.table, chain))) {
    if (!rule.matches.every((match) => match(run))) continue
    run.met.push(`-t ${run.table} -A ${chain} ${rule.text}`)
    if (rule.target === 'RETURN') return undefined
    const ending = act(run, rule)
    if (ending !== undefined || rule.isGoto) return ending
  }
  return undefined
}

const act = (run: Run, { target, options }: WalkRule): Ending | undefined => {
  switch (target) {
    case 'ACCEPT':
      return { kind: 'accept' }
    case 'DROP':
      return { kind: 'drop' }
    case 'REJECT':
      return { kind: 'reject' }
    case 'MASQUERADE':
      return { kind: 'masquerade' }
    case 'DNAT':
      return { kind: 'dnat', to: destinationOf(options.get('--to-destination') ?? '') }
    case 'MARK': {
      const [value, mask] = numbersOf(options.get('--set-xmark') ?? '')
      run.packet = { ...run.packet, mark: (run.packet.mark & ~mask) ^ value }
      return undefined
    }
    default:
      return runChain(run, target)
  }
}

interface WalkRule {
  readonly text: string
  readonly matches: readonly ((run: Run) => boolean)[]
  readonly target: string
  readonly isGoto: boolean
  /** Of the target. */
  readonly options: ReadonlyMap<string, string>
}

/** A chain is read once: many packets pass the same. */
const parsed = new WeakMap<readonly string[], readonly WalkRule[]>()

const rulesOf = (texts: readonly string[]): readonly WalkRule[] => {
  const known = parsed.get(texts)
  if (known !== undefined) return known
  const rules = texts.map(parseRule)
  parsed.set(texts, rules)
  return rules
}

const parseRule = (text: string): WalkRule => {
  const words = text.split(' ')
  const matches: WalkRule['matches'][number][] = []
  const options = new Map<string, string>()
  let target: string | undefined
  let isGoto = false
  let isNegated = false
  const next = (): string => words.shift() ?? ''
  while (words.length > 0) {
    const word = next()
    if (word === '!') {
      isNegated = true
      continue
    }
    if (word === '-m') next()
    else if (word === '-j' || word === '-g') {
      isGoto = word === '-g'
      target = next()
    } else if (target !== undefined) options.set(word, word === '--random-fully' ? '' : next())
    else {
      const match = matchOf(word, next)
      const isExpected = !isNegated
      matches.push((run) => match(run) === isExpected)
      isNegated = false
    }
    // The negation stands behind the module: `-m set ! --match-set`.
  }
  if (target === undefined) throw new Error(`rule ${JSON.stringify(text)} has no target`)
  return { text, matches, target, isGoto, options }
}

const matchOf = (word: string, next: () => string): ((run: Run) => boolean) => {
  const value = next()
  switch (word) {
    case '--match-set': {
      const directions = next().split(',').map(directionOf)
      return ({ book, packet }) => book.matches(value, directions, packet)
    }
    case '--src-type':
      return ({ packet }) => value === 'LOCAL' && packet.isSourceLocal
    case '--ctstate':
      return () => value === 'NEW'
    case '--mark': {
      const [wanted, mask] = numbersOf(value)
      return ({ packet }) => (packet.mark & mask) === wanted
    }
    case '-p':
      return ({ packet }) => packet.protocol === value
    case '--dport':
      return ({ packet }) => String(packet.destination.port) === value
    case '-d': {
      const [address] = value.split('/')
      return ({ packet }) => packet.destination.address === address
    }
    default:
      throw new Error(`rule option ${word} is unknown`)
  }
}

const directionOf = (word: string): Direction => (word === 'src' ? 'src' : 'dst')

const numbersOf = (text: string): readonly [number, number] => {
  const [value = '0', mask = '0xffffffff'] = text.split('/')
  return [Number(value), Number(mask)]
}

/** As DNAT writes it: `10.0.0.1:80`, `[fd00::1]:80`. */
const destinationOf = (text: string): SetPacket['destination'] => {
  const [, address = '', port = ''] = /^\[?(.+?)\]?:(\d+)$/.exec(text) ?? []
  return { address, port: Number(port) }
}
