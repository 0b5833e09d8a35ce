import type { Template, Variable } from '../table/index.ts'
import type { RequestView } from './contract.ts'
import { cookieValue } from './cookies.ts'

export type Text = (request: RequestView) => string

/** How a part of a template is made safe for its place: constants once, request bytes each time. */
interface Safety {
  constant(text: string): string
  variable(text: string): string
}

/** A template joined without further safety: keys that never leave the engine. */
export const keyText = (template: Template): Text => join(template, { constant: (text) => text, variable: (text) => text })

/** A template joined as a field value, in latin1 as heads are: no control characters, so no CR, LF or NUL. */
export const fieldText = (template: Template): Text =>
  join(template, { constant: (text) => fieldValue(utf8Bytes(text)), variable: fieldValue })

/** A template joined as part of a URL: printable ASCII without spaces, everything else percent-encoded. */
export const urlText = (template: Template): Text => join(template, { constant: urlConstant, variable: urlBytes })

export const urlConstant = (text: string): string => urlBytes(utf8Bytes(text))

/** A field value without control characters other than a tab. */
export const fieldValue = (text: string): string => (CONTROL.test(text) ? text.replace(CONTROLS, '') : text)

/** Bytes (as latin1) outside printable ASCII percent-encoded; escapes that are there stay. */
export const urlBytes = (text: string): string => (UNSAFE.test(text) ? text.replace(UNSAFES, percent) : text)

/** Bytes (as latin1) percent-encoded but for unreserved ones: a value in a query. */
const queryValue = (text: string): string => text.replace(RESERVED, percent)

export const percent = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]|[^\0-\xff]/
const CONTROLS = new RegExp(CONTROL, 'g')
const UNSAFE = /[^\x21-\x7e]/
const UNSAFES = new RegExp(UNSAFE, 'g')
const RESERVED = /[^A-Za-z0-9\-._~]/g

/** A text as the latin1 form of its UTF-8 bytes, as heads are written. */
const utf8Bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

const join = (template: Template, safety: Safety): Text => {
  const parts = template.map((part): string | Text => {
    if (typeof part === 'string') return safety.constant(part)
    const value = variableText(part)
    return (request) => safety.variable(value(request))
  })
  const [only = ''] = parts
  if (parts.length < 2) return typeof only === 'string' ? () => only : only
  return (request) => {
    let text = ''
    for (const part of parts) text += typeof part === 'string' ? part : part(request)
    return text
  }
}

/** What a variable stands for; empty when the request lacks it. */
export const variableText = (variable: Variable): Text => {
  switch (variable.of) {
    case 'host':
      return (request) => request.host
    case 'scheme':
      return schemeOf
    case 'method':
      return (request) => request.method
    case 'path':
      return (request) => request.path
    case 'query':
      return (request) => request.query.slice(1)
    case 'requestUri':
      return (request) => request.path + request.query
    case 'clientAddress':
      return (request) => request.clientAddress
    case 'requestId':
      return (request) => request.requestId
    case 'escapedUrl':
      return (request) => queryValue(urlOf(request))
    case 'escapedRequestUri':
      return (request) => queryValue(request.path + request.query)
    case 'capture':
      return (request) => request.captures?.[variable.index] ?? ''
    case 'header':
      return (request) => request.field(variable.name) ?? ''
    case 'cookie':
      return (request) => cookieValue(request.field('cookie'), variable.name) ?? ''
    case 'argument':
      return (request) => argument(request.query, variable.name)
    default:
      return unknownVariable(variable)
  }
}

const unknownVariable = (variable: never): never => {
  throw new Error(`unknown variable: ${JSON.stringify(variable)}`)
}

export const schemeOf: Text = (request) => (request.isSecure ? 'https' : 'http')

/** The request's whole URL. */
export const urlOf: Text = (request) =>
  `${schemeOf(request)}://${request.authority || request.host}${request.path}${request.query}`

/** As nginx's `$arg_name`: the first one, names without case, the value not decoded. */
const argument = (query: string, name: string): string => {
  const wanted = name.toLowerCase()
  for (const pair of query.slice(1).split('&')) {
    const equals = pair.indexOf('=')
    if (equals !== -1 && pair.slice(0, equals).toLowerCase() === wanted) return pair.slice(equals + 1)
  }
  return ''
}
