/** What a rule asks of a packet and what it does then: the part of iptables that kube-proxy's rules are made of. */
export interface Rule {
  readonly comment?: string
  readonly source?: AddressMatch
  readonly destination?: AddressMatch
  readonly protocol?: IPProtocol
  /** Needs `protocol`. */
  readonly destinationPort?: number
  /** Whether the source is an address of this machine. */
  readonly sourceIsLocal?: boolean
  readonly destinationIsLocal?: boolean
  readonly mark?: MarkMatch
  /** Of conntrack. */
  readonly states?: StateMatch
  /** Matches at random: how often, in units of 2⁻³¹, as the kernel keeps it ({@link chanceOf}). */
  readonly chance?: number
  readonly recent?: Recent
  /** A rule without one only counts. */
  readonly target?: RuleTarget
}

export type IPProtocol = 'tcp' | 'udp' | 'sctp'

export interface AddressMatch {
  /** Canonical; one address has no prefix length. */
  readonly cidr: string
  readonly not?: boolean
}

interface MarkMatch {
  readonly value: number
  readonly mask: number
  readonly not?: boolean
}

interface StateMatch {
  /** Sorted. */
  readonly names: readonly string[]
  readonly not?: boolean
}

/** A list of sources that were seen. */
export type Recent =
  /** Remembers the source, or refreshes it. */
  | { readonly kind: 'set'; readonly list: string }
  /** Matches when the source was seen in the last seconds; forgets those that were not. */
  | { readonly kind: 'check'; readonly list: string; readonly seconds: number }

export type RuleTarget =
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'verdict'; readonly verdict: 'ACCEPT' | 'DROP' | 'RETURN' }
  /** Zeroes the bits of `mask`, then xors `value`. */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  /** `10.1.1.1:80` or `[fd00::1]:80`. */
  | { readonly kind: 'dnat'; readonly to: string }
  | { readonly kind: 'masquerade' }
  /** With a TCP reset, or the family's port unreachable. */
  | { readonly kind: 'reject'; readonly with?: 'tcp-reset' }

const CHANCE_UNITS = 2 ** 31

/** The share of packets that a rule takes when it takes one in `count`. */
export const chanceOf = (count: number): number => Math.round(CHANCE_UNITS / count)

/** Reads what {@link renderRule} and `iptables-save` write. */
export const chanceFrom = (probability: string): number => Math.round(Number(probability) * CHANCE_UNITS)

/** Which share of 1 it is. */
export const probabilityOf = (chance: number): number => chance / CHANCE_UNITS

/**
 * A rule as text for `iptables-restore`, without its chain; equal rules are equal text. Fails on a value that could be read as more
 * than one word; from comments, what could is left out.
 */
export const renderRule = (rule: Rule): string => {
  const words: string[] = []
  if (rule.source !== undefined) words.push(address('-s', rule.source))
  if (rule.destination !== undefined) words.push(address('-d', rule.destination))
  if (rule.protocol !== undefined) words.push(`-p ${rule.protocol}`)
  if (rule.comment !== undefined) words.push(`-m comment --comment "${plainComment(rule.comment)}"`)
  if (rule.destinationPort !== undefined) words.push(`-m ${rule.protocol} --dport ${rule.destinationPort}`)
  if (rule.sourceIsLocal !== undefined) words.push(`-m addrtype ${negation(!rule.sourceIsLocal)}--src-type LOCAL`)
  if (rule.destinationIsLocal !== undefined) words.push(`-m addrtype ${negation(!rule.destinationIsLocal)}--dst-type LOCAL`)
  if (rule.mark !== undefined) {
    words.push(`-m mark ${negation(rule.mark.not)}--mark ${hex(rule.mark.value)}/${hex(rule.mark.mask)}`)
  }
  if (rule.states !== undefined) {
    words.push(`-m conntrack ${negation(rule.states.not)}--ctstate ${rule.states.names.map(word).join(',')}`)
  }
  if (rule.chance !== undefined) {
    words.push(`-m statistic --mode random --probability ${probabilityOf(rule.chance).toFixed(PROBABILITY_DIGITS)}`)
  }
  if (rule.recent !== undefined) words.push(recent(rule.recent))
  if (rule.target !== undefined) words.push(target(rule.target))
  return words.join(' ')
}

/** As many as `iptables-save` prints. */
const PROBABILITY_DIGITS = 11

const address = (option: string, { cidr, not }: AddressMatch): string => `${negation(not)}${option} ${word(cidr)}`

const negation = (not: boolean | undefined): string => (not === true ? '! ' : '')

const hex = (value: number): string => `0x${value.toString(16)}`

const recent = (match: Recent): string => {
  switch (match.kind) {
    case 'set':
      return `-m recent --set --name ${word(match.list)} --rsource`
    case 'check':
      return `-m recent --rcheck --seconds ${match.seconds} --reap --name ${word(match.list)} --rsource`
    default:
      return match satisfies never
  }
}

const target = (to: RuleTarget): string => {
  switch (to.kind) {
    case 'jump':
      return `-j ${word(to.chain)}`
    case 'verdict':
      return `-j ${to.verdict}`
    case 'mark':
      return `-j MARK --set-xmark ${hex(to.value)}/${hex(to.mask)}`
    case 'dnat':
      return `-j DNAT --to-destination ${word(to.to)}`
    case 'masquerade':
      return '-j MASQUERADE --random-fully'
    case 'reject':
      return to.with === undefined ? '-j REJECT' : `-j REJECT --reject-with ${to.with}`
    default:
      return to satisfies never
  }
}

const word = (text: string): string => {
  if (!/^[\w.:/[\]-]+$/.test(text)) throw new Error(`iptables: ${JSON.stringify(text.slice(0, 100))} is no plain word`)
  return text
}

/** The kernel keeps 255 bytes. */
const plainComment = (text: string): string => text.replace(/[^\x20-\x7e]|["\\]/g, '').slice(0, 240)
