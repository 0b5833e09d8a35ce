/** What a `Forwarded` field says (RFC 7239), nearest to the client first. */
export interface ForwardedElement {
  /** An IP address; undefined for `unknown`, an obfuscated identifier or none. */
  readonly for: string | undefined
  readonly proto: string | undefined
  readonly host: string | undefined
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const QUOTED = /"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"/y
/** The port, which may be obfuscated too, is not ours to know. */
const NODE = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?$/

/** Undefined when the value is not what the RFC's grammar allows: then nothing of it is believed. */
export const readForwarded = (value: string): readonly ForwardedElement[] | undefined => {
  const elements: ForwardedElement[] = []
  let at = 0
  const blanks = (): void => {
    while (value[at] === ' ' || value[at] === '\t') at++
  }
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(value)?.[0]
    if (found !== undefined) at += found.length
    return found
  }
  while (at <= value.length) {
    const pairs = new Map<string, string>()
    blanks()
    while (at < value.length && value[at] !== ',') {
      if (value[at] === ';') {
        at++
        continue
      }
      const name = take(TOKEN)?.toLowerCase()
      if (name === undefined || value[at] !== '=' || pairs.has(name)) return undefined
      at++
      const text = take(TOKEN) ?? unquoted(take(QUOTED))
      if (text === undefined) return undefined
      pairs.set(name, text)
      blanks()
      if (at < value.length && value[at] !== ';' && value[at] !== ',') return undefined
    }
    if (pairs.size > 0)
      elements.push({ for: addressOf(pairs.get('for')), proto: pairs.get('proto')?.toLowerCase(), host: pairs.get('host') })
    at++
  }
  return elements
}

const unquoted = (text: string | undefined): string | undefined => text?.slice(1, -1).replace(/\\(.)/g, '$1')

const addressOf = (node: string | undefined): string | undefined => {
  const [, v6, v4] = NODE.exec(node ?? '') ?? []
  return v6 ?? v4
}
