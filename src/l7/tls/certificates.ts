import { X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import { errorMessage } from '../../base/index.ts'
import type { Certificate, TableDelta } from '../table/index.ts'
import { contextOptions, type TlsSettings } from './secure-context.ts'
import type { HostClientAuth } from './server-names.ts'

/** No identifier of a table has a NUL. */
const BUILT_IN = '\0built-in'

/** A certificate that works. */
interface Usable {
  readonly certificate: Certificate
  /** `rsa`, `ec`, ...: OpenSSL has a place for a certificate of each. */
  readonly keyType: string | undefined
  readonly context: tls.SecureContext
  /** Contexts that verify clients, by the identity of their client authentication. */
  readonly verifying: Map<string, tls.SecureContext>
}

/**
 * The certificates of the table as ready TLS contexts, made once for each certificate and not for each connection.
 * Replacing one leaves established connections alone; a bad one is reported and harms only its hosts, which then
 * get the default certificate.
 */
export class Certificates {
  readonly #settings: TlsSettings
  readonly #hosts = new Map<string, string>()
  readonly #usable = new Map<string, Usable>()
  readonly #onBad: (id: string, message: string) => void

  constructor(settings: TlsSettings, onBad: (id: string, message: string) => void) {
    this.#settings = settings
    this.#onBad = onBad
  }

  update(delta: TableDelta): void {
    for (const [id, certificate] of delta.certificates ?? []) {
      if (certificate === null) this.#usable.delete(id)
      else this.#add(id, certificate)
    }
    for (const [pattern, id] of delta.tlsHosts ?? []) {
      if (id === null) this.#hosts.delete(pattern)
      else this.#hosts.set(pattern, id)
    }
  }

  /** The engine's own certificate, for hosts that the table has none for. */
  setBuiltIn(certificate: Certificate): void {
    this.#add(BUILT_IN, certificate)
  }

  /** For clients without a server name. */
  get default(): Certificate | undefined {
    return this.#usable.get(this.idOf('') ?? '')?.certificate
  }

  /**
   * For a named host Node adds the host's certificate to the server's own instead of replacing it: with another type of key both are there
   * and the client may get the wrong one; without intermediates it keeps the other's. Then names need a server without a certificate.
   */
  get areMixed(): boolean {
    const own = this.#usable.get(this.idOf('') ?? '')
    if (own !== undefined && own.certificate.chain.split('-----BEGIN CERTIFICATE-----').length > 2) return true
    for (const { keyType } of this.#usable.values()) if (keyType !== own?.keyType) return true
    return false
  }

  /** The certificate for a host in canonical form: precise, then wildcard, then the default. */
  idOf(host: string): string | undefined {
    return this.#ifUsable(this.#hosts.get(host)) ?? this.#ifUsable(this.#wildcard(host)) ?? this.#defaultId()
  }

  /** `auth` is what the host's clients are asked for. */
  contextOf(host: string, auth: HostClientAuth | undefined): tls.SecureContext | undefined {
    const id = this.idOf(host)
    const usable = id === undefined ? undefined : this.#usable.get(id)
    if (usable === undefined || auth === undefined) return usable?.context
    let context = usable.verifying.get(auth.identity)
    if (context === undefined) {
      context = tls.createSecureContext(contextOptions(this.#settings, usable.certificate, auth))
      usable.verifying.set(auth.identity, context)
    }
    return context
  }

  #add(id: string, certificate: Certificate): void {
    try {
      const context = tls.createSecureContext(contextOptions(this.#settings, certificate, undefined))
      const keyType = new X509Certificate(certificate.chain).publicKey.asymmetricKeyType
      this.#usable.set(id, { certificate, keyType, context, verifying: new Map() })
    } catch (error) {
      this.#usable.delete(id)
      this.#onBad(id, errorMessage(error))
    }
  }

  #defaultId(): string | undefined {
    return this.#ifUsable(this.#hosts.get('')) ?? this.#ifUsable(BUILT_IN)
  }

  #wildcard(host: string): string | undefined {
    const dot = host.indexOf('.')
    return dot > 0 ? this.#hosts.get(`*${host.slice(dot)}`) : undefined
  }

  #ifUsable(id: string | undefined): string | undefined {
    return id !== undefined && this.#usable.has(id) ? id : undefined
  }
}
