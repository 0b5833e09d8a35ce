import { createHash, X509Certificate } from 'node:crypto'
import { RE2JS } from 're2js'
import type { ClientAuth, HostPattern, TableDelta, Target } from '../table/index.ts'

/** What is asked of a host's clients, ready for use. */
export interface HostClientAuth {
  readonly settings: ClientAuth
  /** The same for equal settings: hosts with the same one may share a connection. */
  readonly identity: string
  /** Undefined when any name is well. */
  readonly commonName: RE2JS | undefined
  readonly authorities: readonly X509Certificate[]
}

/** What happens to TLS connections before a request is read: by server name, or by a request's host. */
export class ServerNames {
  readonly #hosts = new Set<HostPattern>()
  readonly #clientAuth = new Map<HostPattern, HostClientAuth>()
  readonly #passthrough = new Map<HostPattern, Target>()

  update(delta: TableDelta): void {
    for (const [pattern, routes] of delta.hosts ?? []) {
      if (routes === null) this.#hosts.delete(pattern)
      else this.#hosts.add(pattern)
    }
    for (const [pattern, settings] of delta.clientAuth ?? []) {
      if (settings === null) this.#clientAuth.delete(pattern)
      else this.#clientAuth.set(pattern, compile(settings))
    }
    for (const [pattern, target] of delta.passthrough ?? []) {
      if (target === null) this.#passthrough.delete(pattern)
      else this.#passthrough.set(pattern, target)
    }
  }

  /** A connection's treatment depends on its server name. */
  get matter(): boolean {
    return this.#clientAuth.size > 0 || this.#passthrough.size > 0
  }

  /** What is asked of clients of a host in canonical form; `''` for clients that name none. */
  clientAuthOf(host: string): HostClientAuth | undefined {
    return this.#clientAuth.size === 0 ? undefined : this.#clientAuth.get(this.#patternOf(host))
  }

  passthroughOf(host: string): Target | undefined {
    return this.#passthrough.size === 0 ? undefined : this.#passthrough.get(this.#patternOf(host))
  }

  /** The pattern whose routes take the host's requests; a less specific one has no say. */
  #patternOf(host: string): HostPattern {
    if (this.#isKnown(host)) return host
    const dot = host.indexOf('.')
    const wildcard = dot > 0 ? `*${host.slice(dot)}` : ''
    return this.#isKnown(wildcard) ? wildcard : ''
  }

  #isKnown(pattern: HostPattern): boolean {
    return this.#hosts.has(pattern) || this.#clientAuth.has(pattern) || this.#passthrough.has(pattern)
  }
}

const compile = (settings: ClientAuth): HostClientAuth => {
  const { ca, verify, depth, passToUpstream, commonName, errorPage } = settings
  const parts = JSON.stringify([ca, verify, depth, passToUpstream, commonName, errorPage])
  // OpenSSL's session id contexts have at most 32 bytes.
  const identity = createHash('sha256').update(parts).digest('hex').slice(0, 32)
  return {
    settings,
    identity,
    commonName: commonName === undefined ? undefined : expression(commonName),
    authorities: authoritiesIn(ca),
  }
}

/** Matches nothing. */
const NOBODY = RE2JS.compile('[^\\x{0}-\\x{10FFFF}]')

/** An expression that cannot be read lets nobody in. */
const expression = (text: string): RE2JS => {
  try {
    return RE2JS.compile(text)
  } catch {
    return NOBODY
  }
}

const PEM = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

/** Those that can be read; TLS leaves the others out too. */
const authoritiesIn = (pem: string): readonly X509Certificate[] =>
  (pem.match(PEM) ?? []).flatMap((text) => {
    try {
      return [new X509Certificate(text)]
    } catch {
      return []
    }
  })
