import type { Template, Variable } from '../table/index.ts'
import { percent, type Text, urlBytes, urlConstant, urlText, variableText } from './template.ts'

/**
 * The Location of a redirect. A template that begins with `http(s)://` or a scheme variable is absolute, and request bytes cannot change
 * the host that its author wrote; any other is a path on this host, whatever request bytes it holds (`//evil`, `/\evil`, `javascript:`).
 */
export const locationText = (template: Template): Text => (isAbsolute(template) ? absoluteText(template) : pathText(template))

const SCHEME = /^https?:\/\//i

const isAbsolute = ([first, second]: Template): boolean =>
  typeof first === 'string'
    ? SCHEME.test(first)
    : first?.of === 'scheme' && typeof second === 'string' && second.startsWith('://')

const pathText = (template: Template): Text => {
  const joined = urlText(template)
  return (request) => oneLeadingSlash(joined(request))
}

/** Browsers take a backslash for a slash, so `/\evil` names a host as `//evil` does. */
const oneLeadingSlash = (text: string): string => {
  let from = 0
  while (text.charCodeAt(from) === SLASH || text.charCodeAt(from) === BACKSLASH) from++
  return `/${text.slice(from)}`
}

const SLASH = 0x2f
const BACKSLASH = 0x5c

/** Parts in order; while the authority is not closed, what the request says stays in it or closes it, but never adds to it. */
const absoluteText = (template: Template): Text => {
  const parts = template.map((part) =>
    typeof part === 'string' ? urlConstant(part) : { kind: part.of, value: variableText(part) },
  )
  return (request) => {
    let text = ''
    for (const part of parts) {
      if (typeof part === 'string') text += part
      else text += placed(text, part.kind, urlBytes(part.value(request)))
    }
    return text
  }
}

const placed = (before: string, kind: Variable['of'], value: string): string => {
  const scheme = before.indexOf('://')
  if (scheme === -1 || OURS.has(kind)) return value
  const authority = before.slice(scheme + 3)
  if (CLOSING.test(authority)) return value
  if (authority === '') return value.replace(SEPARATORS, percent)
  return CLOSING.test(value.charAt(0)) || value === '' ? value : `/${value}`
}

/** These hold no bytes that a client may choose freely, or begin with the slash that closes the authority. */
const OURS: ReadonlySet<Variable['of']> = new Set(['host', 'scheme', 'path', 'requestUri'])
const CLOSING = /[/?#]/
const SEPARATORS = /[^A-Za-z0-9.\-_]/g
