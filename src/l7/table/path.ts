/**
 * The one form of a request path that is both matched and forwarded (reference: CVE-2025-66490, split views).
 * Decoded: percent-encoded unreserved characters. Resolved: `.` and `..` elements, `//`. Kept as they are: `;`, `%2F` and
 * every other encoded character, which never separate elements. Undefined (answer 400) for a bad escape, `%00`, a
 * backslash, a `..` above the root, and an encoded slash or backslash that hides a dot element.
 */
export const canonicalPath = (path: string): string | undefined => {
  if (!NEEDS_WORK.test(path)) return path.charCodeAt(0) === SLASH ? path : undefined
  return path.charCodeAt(0) === SLASH ? resolved(path) : undefined
}

const SLASH = 0x2f
const NEEDS_WORK = /%|\/\.|\/\/|\\/
const BAD = /\\|%(?![0-9a-f]{2})|%00/i
const ESCAPE = /%[0-9a-f]{2}/gi
const UNRESERVED = /[A-Za-z0-9\-._~]/
const HIDDEN_SEPARATOR = /%(?:2F|5C)/

const resolved = (path: string): string | undefined => {
  if (BAD.test(path)) return undefined
  const elements = path.replace(ESCAPE, decodeUnreserved).split('/')
  const kept: string[] = []
  for (const element of elements.slice(1)) {
    if (element === '' || element === '.') continue
    if (element === '..') {
      if (kept.pop() === undefined) return undefined
    } else if (hidesDots(element)) return undefined
    else kept.push(element)
  }
  const last = elements.at(-1)
  const endsWithSlash = last === '' || last === '.' || last === '..'
  return kept.length === 0 ? '/' : `/${kept.join('/')}${endsWithSlash ? '/' : ''}`
}

const decodeUnreserved = (encoded: string): string => {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
  return UNRESERVED.test(character) ? character : encoded.toUpperCase()
}

const hidesDots = (element: string): boolean =>
  HIDDEN_SEPARATOR.test(element) && element.split(HIDDEN_SEPARATOR).some((part) => part === '.' || part === '..')
