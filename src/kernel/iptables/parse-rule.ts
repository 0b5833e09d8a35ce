import { formatCIDR, readCIDR } from '../../ip/index.ts'
import { chanceFrom, type IPProtocol, type Recent, type Rule, type RuleTarget } from './rule.ts'

/** A rule out of `iptables-save`, or as `iptables-restore` takes it; undefined when it says anything that {@link Rule} cannot. */
export const parseRule = (text: string): Rule | undefined => {
  const words = wordsOf(text)
  if (words === undefined) return undefined
  const parsed: Parsed = { rule: {}, recent: {} }
  let not = false
  for (let index = 0; index < words.length; ) {
    const option = words[index++] ?? ''
    if (option === '!') {
      not = true
      continue
    }
    const read = OPTIONS.get(option)
    const value = read?.takes === true ? words[index++] : ''
    if (read === undefined || value === undefined || (not && read.negatable !== true)) return undefined
    if (!read.into(parsed, value, not)) return undefined
    not = false
  }
  return not ? undefined : finished(parsed)
}

/** A rule while it is read. */
interface Parsed {
  rule: { -readonly [Key in keyof Rule]: Rule[Key] }
  recent: { kind?: 'set' | 'check'; list?: string; seconds?: number; reap?: boolean }
}

interface Option {
  readonly takes?: boolean
  readonly negatable?: boolean
  /** False when the value is none that is known. */
  readonly into: (parsed: Parsed, value: string, not: boolean) => boolean
}

const MODULES = new Set(['comment', 'tcp', 'udp', 'sctp', 'addrtype', 'mark', 'conntrack', 'statistic', 'recent'])
const PROTOCOLS: readonly IPProtocol[] = ['tcp', 'udp', 'sctp']
const VERDICTS = ['ACCEPT', 'DROP', 'RETURN'] as const
/** What `REJECT` does when it is not told. */
const USUAL_REJECTS = new Set(['icmp-port-unreachable', 'icmp6-port-unreachable'])
const WHOLE_ADDRESSES = new Set(['255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'])

const flag = (into: (parsed: Parsed) => void): Option => ({
  into: (parsed) => {
    into(parsed)
    return true
  },
})
const value = (into: Option['into']): Option => ({ takes: true, into })
const negatable = (into: Option['into']): Option => ({ takes: true, negatable: true, into })
const address = (field: 'source' | 'destination'): Option =>
  negatable(({ rule }, text, not) => {
    const cidr = cidrText(text)
    if (cidr !== undefined) rule[field] = not ? { cidr, not } : { cidr }
    return cidr !== undefined
  })
const local = (field: 'sourceIsLocal' | 'destinationIsLocal'): Option =>
  negatable(({ rule }, text, not) => {
    rule[field] = !not
    return text === 'LOCAL'
  })

const OPTIONS: ReadonlyMap<string, Option> = new Map(
  Object.entries<Option>({
    '-s': address('source'),
    '-d': address('destination'),
    '-p': value(({ rule }, text) => {
      const protocol = PROTOCOLS.find((each) => each === text)
      if (protocol !== undefined) rule.protocol = protocol
      return protocol !== undefined
    }),
    '-m': value((_, text) => MODULES.has(text)),
    '--comment': value(({ rule }, text) => {
      rule.comment = text
      return true
    }),
    '--dport': value(({ rule }, text) => {
      rule.destinationPort = Number(text)
      return /^\d{1,5}$/.test(text)
    }),
    '--src-type': local('sourceIsLocal'),
    '--dst-type': local('destinationIsLocal'),
    '--mark': negatable(({ rule }, text, not) => {
      const mark = markOf(text)
      if (mark !== undefined) rule.mark = not ? { ...mark, not } : mark
      return mark !== undefined
    }),
    '--ctstate': negatable(({ rule }, text, not) => {
      const names = text.split(',').sort()
      rule.states = not ? { names, not } : { names }
      return true
    }),
    '--mode': value((_, text) => text === 'random'),
    '--probability': value(({ rule }, text) => {
      rule.chance = chanceFrom(text)
      return Number.isFinite(rule.chance)
    }),
    '--set': flag(({ recent }) => {
      recent.kind = 'set'
    }),
    '--rcheck': flag(({ recent }) => {
      recent.kind = 'check'
    }),
    '--seconds': value(({ recent }, text) => {
      recent.seconds = Number(text)
      return /^\d+$/.test(text)
    }),
    '--reap': flag(({ recent }) => {
      recent.reap = true
    }),
    '--name': value(({ recent }, text) => {
      recent.list = text
      return true
    }),
    '--mask': value((_, text) => WHOLE_ADDRESSES.has(text)),
    '--rsource': flag(() => {}),
    '-j': value(({ rule }, text) => {
      rule.target = targetNamed(text)
      return true
    }),
    '--set-xmark': value(({ rule }, text) => {
      const mark = markOf(text)
      if (mark !== undefined) rule.target = { kind: 'mark', ...mark }
      return mark !== undefined
    }),
    '--to-destination': value(({ rule }, text) => {
      rule.target = { kind: 'dnat', to: text }
      return true
    }),
    '--random-fully': flag(({ rule }) => {
      rule.target = { kind: 'masquerade' }
    }),
    '--reject-with': value(({ rule }, text) => {
      rule.target = text === 'tcp-reset' ? { kind: 'reject', with: 'tcp-reset' } : { kind: 'reject' }
      return text === 'tcp-reset' || USUAL_REJECTS.has(text)
    }),
  }),
)

/** A target that its options complete is a jump until they are read; `finished` refuses what stays so. */
const targetNamed = (name: string): RuleTarget => {
  const verdict = VERDICTS.find((each) => each === name)
  if (verdict !== undefined) return { kind: 'verdict', verdict }
  return name === 'REJECT' ? { kind: 'reject' } : { kind: 'jump', chain: name }
}

const INCOMPLETE = new Set(['MARK', 'DNAT', 'MASQUERADE'])

const finished = ({ rule, recent }: Parsed): Rule | undefined => {
  if (rule.target?.kind === 'jump' && INCOMPLETE.has(rule.target.chain)) return undefined
  if (rule.destinationPort !== undefined && rule.protocol === undefined) return undefined
  if (recent.kind === undefined) return rule
  const match = recentOf(recent)
  return match === undefined ? undefined : { ...rule, recent: match }
}

const recentOf = ({ kind, list, seconds, reap }: Parsed['recent']): Recent | undefined => {
  if (list === undefined) return undefined
  if (kind === 'set') return seconds === undefined ? { kind, list } : undefined
  return kind === 'check' && seconds !== undefined && reap === true ? { kind, list, seconds } : undefined
}

const markOf = (text: string): { readonly value: number; readonly mask: number } | undefined => {
  const [, first = '', second = ''] = /^0x([0-9a-f]{1,8})\/0x([0-9a-f]{1,8})$/.exec(text) ?? []
  return first === '' ? undefined : { value: Number.parseInt(first, 16), mask: Number.parseInt(second, 16) }
}

/** As {@link Rule} has it: one address without a length. */
const cidrText = (text: string): string | undefined => {
  const whole = text.includes(':') ? '/128' : '/32'
  const cidr = readCIDR(text.includes('/') ? text : `${text}${whole}`)?.cidr
  if (cidr === undefined) return undefined
  const formatted = formatCIDR(cidr)
  return formatted.endsWith(whole) ? formatted.slice(0, -whole.length) : formatted
}

/** The words of a rule; undefined when a quotation does not end. */
const wordsOf = (text: string): readonly string[] | undefined => {
  if (!text.includes('"')) return text.split(' ').filter((each) => each !== '')
  const words: string[] = []
  for (const [, quoted, plain, broken] of text.matchAll(/"((?:[^"\\]|\\.)*)"|([^\s"]+)|(")/g)) {
    if (broken !== undefined) return undefined
    words.push(plain ?? (quoted ?? '').replace(/\\(.)/g, '$1'))
  }
  return words
}
