import type { EventRecorder } from '../../client/index.ts'
import type { WantedCertificate } from './desired.ts'
import type { IssuedSecret } from './issued.ts'

/** What becomes of certificates, as Events on the Ingresses that ask for them; what stands is told once. */
export class CertificateEvents {
  readonly #recorder: Pick<EventRecorder, 'event'> | undefined
  readonly #told = new Map<string, Set<string>>()

  constructor({ recorder }: { readonly recorder?: Pick<EventRecorder, 'event'> }) {
    this.#recorder = recorder
  }

  issued(wanted: WantedCertificate, { notAfterMs, renewAtMs }: IssuedSecret): void {
    const message = `Secret ${wanted.secret} has a certificate for ${wanted.hosts.join(', ')} until ${timeOf(notAfterMs)}; it is renewed from ${timeOf(renewAtMs)} on`
    for (const ingress of wanted.ingresses)
      this.#recorder?.event(ingress, { type: 'Normal', reason: 'CertificateIssued', message })
  }

  failed(wanted: WantedCertificate, why: string, nextMs: number): void {
    const message = `no certificate for ${wanted.hosts.join(', ')} yet: ${why}; tried again after ${timeOf(nextMs)}`
    for (const ingress of wanted.ingresses)
      this.#recorder?.event(ingress, { type: 'Warning', reason: 'CertificateFailed', message })
  }

  /** Hosts that nothing is asked for. */
  refused({ secret, refusals }: WantedCertificate): void {
    const told = this.#told.get(secret) ?? new Set()
    const standing = new Set<string>()
    for (const { ingress, message } of refusals) {
      const text = `${ingress.metadata.uid} ${message}`
      standing.add(text)
      if (!told.has(text)) this.#notRequested([ingress], message)
    }
    for (const text of told) if (text.startsWith(ALONE)) standing.add(text)
    this.#told.set(secret, standing)
  }

  leftAlone({ secret, ingresses }: Pick<WantedCertificate, 'secret' | 'ingresses'>, message: string): void {
    const told = this.#told.get(secret) ?? new Set()
    this.#told.set(secret, told)
    if (told.has(ALONE + message)) return
    told.add(ALONE + message)
    this.#notRequested(ingresses, message)
  }

  forget(secret: string): void {
    this.#told.delete(secret)
  }

  #notRequested(ingresses: WantedCertificate['ingresses'], message: string): void {
    for (const ingress of ingresses)
      this.#recorder?.event(ingress, { type: 'Warning', reason: 'CertificateNotRequested', message })
  }
}

const ALONE = 'left alone: '

const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
