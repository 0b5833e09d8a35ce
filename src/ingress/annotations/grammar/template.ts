import type { Template, Variable } from '../../../l7/table/index.ts'
import { is, isNot, type Parser, shown } from './reading.ts'

/** nginx's variables that have a fixed name; all others are refused, so that no text of a user is ever interpreted. */
const VARIABLES: ReadonlyMap<string, Variable> = new Map<string, Variable>([
  ['host', { of: 'host' }],
  ['http_host', { of: 'header', name: 'host' }],
  ['best_http_host', { of: 'header', name: 'host' }],
  ['scheme', { of: 'scheme' }],
  ['pass_access_scheme', { of: 'scheme' }],
  ['request_method', { of: 'method' }],
  ['uri', { of: 'path' }],
  ['document_uri', { of: 'path' }],
  ['args', { of: 'query' }],
  ['query_string', { of: 'query' }],
  ['request_uri', { of: 'requestUri' }],
  ['escaped_request_uri', { of: 'escapedRequestUri' }],
  ['remote_addr', { of: 'clientAddress' }],
  ['the_real_ip', { of: 'clientAddress' }],
  ['binary_remote_addr', { of: 'clientAddress' }],
  ['request_id', { of: 'requestId' }],
  ['req_id', { of: 'requestId' }],
])

const NAMED = /^(http|cookie|arg)_([A-Za-z0-9_]{1,64})$/
const KINDS = { http: 'header', cookie: 'cookie', arg: 'argument' } as const

/** The variable of that name; undefined when it is none of ours. */
export const variable = (name: string): Variable | undefined => {
  if (/^[1-9]$/.test(name)) return { of: 'capture', index: Number(name) }
  const known = VARIABLES.get(name)
  if (known !== undefined) return known
  const [, kind, rest = ''] = NAMED.exec(name) ?? []
  if (kind !== 'http' && kind !== 'cookie' && kind !== 'arg') return undefined
  return { of: KINDS[kind], name: kind === 'http' ? rest.toLowerCase().replaceAll('_', '-') : rest.toLowerCase() }
}

const LONGEST = 2_048
const PIECE = /\$(?:\{([A-Za-z0-9_]+)\}|([1-9](?![0-9])|[A-Za-z_][A-Za-z0-9_]*))|[^$]+|\$/g

/** Text with variables; `literal` says which text may stand between them. */
const template =
  (literal: RegExp, what: string): Parser<Template> =>
  (text) => {
    if (text === '' || text.length > LONGEST) return isNot(`${what} of 1 to ${LONGEST} characters`)
    const parts: (string | Variable)[] = []
    // The one use of $is_args that people write: path and query as they came.
    for (const [piece, braced, bare] of text.replaceAll('$uri$is_args$args', '$request_uri').matchAll(PIECE)) {
      const name = braced ?? bare
      if (name === undefined) {
        if (!literal.test(piece)) return isNot(`${what}; ${shown(piece)} is not`)
        parts.push(piece)
        continue
      }
      const found = variable(name)
      if (found === undefined) return isNot(`${what} with known variables; $${name} is none`)
      parts.push(found)
    }
    return is(parts)
  }

const PATH_AND_QUERY = /^(?:[A-Za-z0-9\-._~:/?#[\]@!&'()*+,;=|]|%[0-9A-Fa-f]{2})*$/

/** Path and query, with variables; begins with `/` or a variable. */
export const pathTemplate: Parser<Template> = (text) => {
  const reading = template(PATH_AND_QUERY, 'a path and query')(text)
  if (!reading.ok) return reading
  const [first] = reading.value
  const isRooted = typeof first === 'string' ? first.startsWith('/') : first !== undefined && STARTS_PATH.has(first.of)
  return isRooted ? reading : isNot('a path that begins with /')
}

const STARTS_PATH = new Set<Variable['of']>(['path', 'requestUri', 'capture'])

/** What follows the authority of a URL: nothing, or a path, a query or a fragment. */
export const restTemplate: Parser<Template> = (text) => {
  if (text === '') return is([])
  const reading = template(PATH_AND_QUERY, 'the path and query of a URL')(text)
  if (!reading.ok) return reading
  const [first] = reading.value
  const isRest = typeof first === 'string' ? /^[/?#]/.test(first) : first?.of === 'path' || first?.of === 'requestUri'
  return isRest ? reading : isNot('a URL whose path begins with / after its host')
}

/** The value of a header. */
export const fieldTemplate: Parser<Template> = template(/^[ -~]*$/, 'printable text')

/** A host, with variables. */
export const hostTemplate: Parser<Template> = template(/^[A-Za-z0-9._-]+(?::[0-9]{1,5})?$|^:[0-9]{1,5}$/, 'a host')

/** What requests are told apart by. */
export const keyTemplate: Parser<Template> = template(/^[A-Za-z0-9\-._~:/|,;=]*$/, 'a key')
