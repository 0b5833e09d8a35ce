import { parseAddress } from '../../../ip/index.ts'
import type { Template, Variable } from '../../../l7/table/index.ts'
import { hostName } from './names.ts'
import { is, isNot, type Parser, type Reading } from './reading.ts'
import { pathTemplate, restTemplate, variable } from './template.ts'

/** A server that a setting names; undefined as host: the host of the request. */
export interface OutsideUrl {
  readonly scheme: 'http' | 'https'
  readonly host: string | undefined
  readonly port: number
  /** Path and query, as written: empty when the URL ends with its authority. */
  readonly rest: Template
}

const NO_URL = 'a URL such as https://host/path, without user and password'

const OUTSIDE =
  /^(https?):\/\/(\$host|\$\{host\}|\$http_host|\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(?=[/?$]|$)(.*)$/

/** An absolute URL of a server that we ask ourselves: scheme and host are literal, or the host is the request's. */
export const outsideUrl: Parser<OutsideUrl> = (text) => {
  const [, scheme, authority, portText, restText = ''] = OUTSIDE.exec(text) ?? []
  if ((scheme !== 'http' && scheme !== 'https') || authority === undefined) return isNot(NO_URL)
  const host = authority.startsWith('$') ? is(undefined) : literalHost(authority)
  if (!host.ok) return host
  const port = portText === undefined ? (scheme === 'https' ? 443 : 80) : Number(portText)
  if (port < 1 || port > 65_535) return isNot('a URL with a port from 1 to 65535')
  const rest = restTemplate(restText)
  return rest.ok ? is({ scheme, host: host.value, port, rest: withoutDoubleSlash(rest.value) }) : rest
}

const literalHost = (text: string): Reading<string> => {
  const bare = text.startsWith('[') ? text.slice(1, -1) : text
  if (parseAddress(bare) !== undefined) return is(bare)
  // What looks like an address but is none is read by some resolvers as another address: 0177.1, 2130706433.
  return /^[0-9.]+$/.test(text) || text.startsWith('[') ? isNot('a URL with a DNS name or a plain address') : hostName(text)
}

/** `/$request_uri`, as people write it, means the path itself. */
const withoutDoubleSlash = (rest: Template): Template => {
  const [first, second] = rest
  const isDoubled = first === '/' && typeof second === 'object' && (second.of === 'path' || second.of === 'requestUri')
  return isDoubled ? rest.slice(1) : rest
}

const REDIRECT = /^(https?|\$[a-z_]+|\$\{[a-z_]+\}):\/\/([^/?#]*?)(?=[/?#]|\$(?:\{)?(?:request_uri|uri)\b|$)(.*)$/
const HOST_VARIABLES = new Set(['host', 'http_host', 'best_http_host'])
const AUTHORITY_PIECE = /\$\{?([A-Za-z0-9_]+)\}?|[^$]+/g

/**
 * Where a client is sent: an absolute URL or a path. Of the authority only the request's own host is variable, so that no request
 * can choose another one (open redirect).
 */
export const redirectUrl: Parser<Template> = (text) => {
  if (/^\/(?![/\\])/.test(text)) return pathTemplate(text)
  const [, schemeText, authorityText, restText = ''] = REDIRECT.exec(text) ?? []
  if (schemeText === undefined || authorityText === undefined) return isNot(`${NO_URL}, or a path`)
  const scheme = schemeText.startsWith('$') ? variable(schemeText.replace(/[${}]/g, '')) : schemeText
  if (scheme === undefined || (typeof scheme === 'object' && scheme.of !== 'scheme'))
    return isNot('a URL with http, https or $scheme')
  const authority = authorityOf(authorityText)
  if (!authority.ok) return authority
  const rest = restTemplate(restText)
  return rest.ok ? is(joined([scheme, '://', ...authority.value, ...rest.value])) : rest
}

const authorityOf = (text: string): Reading<Template> => {
  const parts: (string | Variable)[] = []
  for (const [piece, name] of text.matchAll(AUTHORITY_PIECE)) {
    if (name !== undefined) {
      const found = HOST_VARIABLES.has(name) ? variable(name) : undefined
      if (found === undefined) return isNot(`a URL whose host is literal or $host; $${name} could be anything`)
      parts.push(found)
    } else parts.push(piece)
  }
  const literal = parts.map((part) => (typeof part === 'string' ? part : 'x')).join('')
  return /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?$/.test(literal) ? is(parts) : isNot(NO_URL)
}

/** Neighbouring texts as one. */
const joined = (parts: Template): Template => {
  const result: (string | Variable)[] = []
  for (const part of parts) {
    const last = result.at(-1)
    if (typeof part === 'string' && typeof last === 'string') result[result.length - 1] = last + part
    else result.push(part)
  }
  return result
}
