/** A rule's host as the table spells it; no host is `''`. */
export const hostPattern = (host: string | undefined): string => (host ?? '').toLowerCase()

/** For messages. */
export const hostName = (pattern: string): string => (pattern === '' ? 'any host' : `host ${pattern}`)
