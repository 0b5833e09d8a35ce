import tls from 'node:tls'
import { errorMessage } from '../../base/index.ts'
import type { Certificate, TableDelta } from '../table/index.ts'

/** No identifier of a table has a NUL. */
const BUILT_IN = '\0built-in'

/**
 * The certificates of the table as ready TLS contexts, made once for each certificate and not for each connection.
 * Replacing one leaves established connections alone; a bad one is reported and harms only its hosts, which then
 * get the default certificate.
 */
export class Certificates {
  readonly #hosts = new Map<string, string>()
  readonly #contexts = new Map<string, tls.SecureContext>()
  readonly #certificates = new Map<string, Certificate>()
  #default: Certificate | undefined
  #onDefault: ((certificate: Certificate) => void) | undefined
  readonly #onBad: (id: string, message: string) => void

  constructor(onBad: (id: string, message: string) => void) {
    this.#onBad = onBad
  }

  /** Calls `apply` with the certificate for clients without a server name, now and when it changes. */
  onDefault(apply: (certificate: Certificate) => void): void {
    this.#onDefault = apply
    if (this.#default !== undefined) apply(this.#default)
  }

  update(delta: TableDelta): void {
    for (const [id, certificate] of delta.certificates ?? []) {
      if (certificate === null) {
        this.#contexts.delete(id)
        this.#certificates.delete(id)
      } else this.#add(id, certificate)
    }
    for (const [pattern, id] of delta.tlsHosts ?? []) {
      if (id === null) this.#hosts.delete(pattern)
      else this.#hosts.set(pattern, id)
    }
    this.#chooseDefault()
  }

  /** The engine's own certificate, for hosts that the table has none for. */
  setBuiltIn(certificate: Certificate): void {
    this.#add(BUILT_IN, certificate)
    this.#chooseDefault()
  }

  /** The certificate for a host in canonical form: precise, then wildcard, then the default. */
  idOf(host: string): string | undefined {
    return this.#usable(this.#hosts.get(host)) ?? this.#usable(this.#wildcard(host)) ?? this.#defaultId()
  }

  contextOf(host: string): tls.SecureContext | undefined {
    const id = this.idOf(host)
    return id === undefined ? undefined : this.#contexts.get(id)
  }

  #add(id: string, certificate: Certificate): void {
    try {
      const { chain, key } = certificate
      this.#contexts.set(id, tls.createSecureContext({ cert: chain, key, minVersion: 'TLSv1.2' }))
      this.#certificates.set(id, certificate)
    } catch (error) {
      this.#contexts.delete(id)
      this.#onBad(id, errorMessage(error))
    }
  }

  #chooseDefault(): void {
    const id = this.#defaultId()
    const certificate = id === undefined ? undefined : this.#certificates.get(id)
    if (certificate === undefined || certificate === this.#default) return
    this.#default = certificate
    this.#onDefault?.(certificate)
  }

  #defaultId(): string | undefined {
    return this.#usable(this.#hosts.get('')) ?? this.#usable(BUILT_IN)
  }

  #wildcard(host: string): string | undefined {
    const dot = host.indexOf('.')
    return dot > 0 ? this.#hosts.get(`*${host.slice(dot)}`) : undefined
  }

  #usable(id: string | undefined): string | undefined {
    return id !== undefined && this.#contexts.has(id) ? id : undefined
  }
}
