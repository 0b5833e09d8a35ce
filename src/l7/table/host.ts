/**
 * The host of a Host field or authority as routes spell it: lower case, without port and without one final dot.
 * Undefined when it is not a host: user information, an empty name, a bad port, characters that no host has.
 */
export const canonicalHost = (authority: string): string | undefined => {
  const known = cache.get(authority)
  if (known !== undefined) return known === INVALID ? undefined : known
  const host = parse(authority)
  // Clients choose these keys, so the cache is emptied rather than grown.
  if (cache.size >= CACHE_LIMIT) cache.clear()
  if (authority.length <= CACHED_LENGTH) cache.set(authority, host ?? INVALID)
  return host
}

const CACHE_LIMIT = 2_048
const CACHED_LENGTH = 128
const INVALID = '\0'
const cache = new Map<string, string>()

const AUTHORITY = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\.?)(?::([0-9]{1,5}))?$/
const LONGEST_NAME = 255

const parse = (authority: string): string | undefined => {
  if (authority.length > LONGEST_NAME) return undefined
  const [, literal, name, port] = AUTHORITY.exec(authority) ?? []
  if (port !== undefined && Number(port) > 65_535) return undefined
  if (literal !== undefined) return `[${literal.toLowerCase()}]`
  return name?.toLowerCase()
}
