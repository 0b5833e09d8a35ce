import { is, isNot, type Parser } from './reading.ts'

const matching =
  (pattern: RegExp, why: string): Parser<string> =>
  (text) =>
    pattern.test(text) ? is(text) : isNot(why)

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
export const token: Parser<string> = matching(TOKEN, 'a name without blanks or separators')

/** Fields that frame a message or belong to one connection; nobody sets or removes them by a setting. */
const RESERVED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The name of a field that a setting may set, add, remove or pass on; in lower case. */
export const fieldName: Parser<string> = (text) => {
  const name = text.toLowerCase()
  if (!/^[a-z0-9_-]{1,128}$/.test(name)) return isNot('a header name of letters, digits, - and _')
  return RESERVED.has(name) || name.startsWith(':')
    ? isNot(`a header other than ${name}, which the connection itself needs`)
    : is(name)
}

/** A header that is only read. */
export const readFieldName: Parser<string> = (text) =>
  /^[A-Za-z0-9_-]{1,128}$/.test(text) ? is(text.toLowerCase()) : isNot('a header name of letters, digits, - and _')

export const cookieName: Parser<string> = matching(/^[A-Za-z0-9_.-]{1,128}$/, 'a cookie name of letters, digits, _, . and -')

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
/** `example.com`, lower case. */
export const hostName: Parser<string> = (text) => {
  const name = text.toLowerCase()
  return name.length <= 253 && new RegExp(`^${LABEL}(?:\\.${LABEL})*$`).test(name) ? is(name) : isNot('a DNS name')
}

/** `example.com` or `*.example.com`, lower case. */
export const hostPatternName: Parser<string> = (text) => {
  const rest = text.startsWith('*.') ? text.slice(2) : text
  const reading = hostName(rest)
  return reading.ok ? is(text.toLowerCase()) : isNot('a DNS name, with *. in front for any one label before it')
}

const OBJECT_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/
export const objectName: Parser<string> = matching(OBJECT_NAME, 'the name of an object')

/** An object that a setting refers to; without a namespace the one of the Ingress. */
export interface Reference {
  readonly namespace: string | undefined
  readonly name: string
}

/** `name` or `namespace/name`. */
export const reference: Parser<Reference> = (text) => {
  const parts = text.split('/')
  const [first = '', second] = parts
  const [namespace, name] = second === undefined ? [undefined, first] : [first, second]
  const isGood = parts.length <= 2 && OBJECT_NAME.test(name) && (namespace === undefined || OBJECT_NAME.test(namespace))
  return isGood ? is({ namespace, name }) : isNot('name or namespace/name of an object')
}

/** Printable ASCII without quotes and backslashes: safe inside a quoted string. */
export const plainText: Parser<string> = matching(/^[ !#-[\]-~]{1,255}$/, 'printable text without quotes and backslashes')

/** Printable ASCII: what a header's value may be. */
export const fieldValue: Parser<string> = matching(/^[!-~](?:[ -~]{0,1022}[!-~])?$/, 'printable text')

/** A path without a query. */
export const path: Parser<string> = matching(/^\/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]{0,1023}$/, 'a path that begins with /')
