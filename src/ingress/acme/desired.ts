import { isIP } from 'node:net'
import type { Ingress } from '../../api/index.ts'
import { byAge, type Claims, compileTlsHost, keyOf, tlsWishes } from '../routes/index.ts'
import { asksForCertificates } from './names.ts'

/** Who asks for which host, as the routes have it. */
export type ClaimedHosts = Pick<Claims, 'keys' | 'get' | 'ofHost' | 'borrowersOf' | 'ofTlsHost'>

/** A certificate that Ingresses ask for. */
export interface WantedCertificate {
  /** Where it goes, `namespace/name`. */
  readonly secret: string
  /** In the order of their names. */
  readonly hosts: readonly string[]
  /** Those that ask for one of its hosts, the oldest first. */
  readonly ingresses: readonly Ingress[]
  readonly refusals: readonly Refusal[]
}

/** A host that no certificate is asked for, or all of one Secret. */
interface Refusal {
  readonly ingress: Ingress
  readonly message: string
}

/** Let's Encrypt's limit, and that of others. */
const MOST_HOSTS = 100

/**
 * What our Ingresses ask of the ACME server, by Secret. A host that is served with another Secret, or that leads to another namespace's routes, is refused: a certificate is as
 * good as the traffic.
 */
export const wantedCertificates = (claims: ClaimedHosts): ReadonlyMap<string, WantedCertificate> => {
  const drafts = new Map<string, Draft>()
  const asking = claims
    .keys()
    .flatMap((key) => claims.get(key) ?? [])
    .filter(asksForCertificates)
    .sort(byAge)
  for (const ingress of asking) {
    for (const { pattern, secret } of tlsWishes(ingress)) {
      const draft: Draft = drafts.get(secret) ?? { hosts: new Set(), ingresses: new Map(), refusals: [] }
      drafts.set(secret, draft)
      const why = refusalOf({ host: pattern, secret, ingress }, claims)
      if (why !== undefined) draft.refusals.push({ ingress, message: why })
      else {
        draft.hosts.add(pattern)
        draft.ingresses.set(keyOf(ingress), ingress)
      }
    }
  }
  return new Map([...drafts].map(([secret, draft]) => [secret, finished(secret, draft)]))
}

interface Draft {
  readonly hosts: Set<string>
  readonly ingresses: Map<string, Ingress>
  readonly refusals: Refusal[]
}

const finished = (secret: string, { hosts, ingresses, refusals }: Draft): WantedCertificate => {
  if (hosts.size <= MOST_HOSTS) return { secret, hosts: [...hosts].sort(), ingresses: [...ingresses.values()], refusals }
  const message = `Secret ${secret} would be for ${hosts.size} hosts; a certificate may have ${MOST_HOSTS}`
  const everybody = [...ingresses.values()].map((ingress) => ({ ingress, message }))
  return { secret, hosts: [], ingresses: [], refusals: [...refusals, ...everybody] }
}

interface Wish {
  readonly host: string
  readonly secret: string
  readonly ingress: Ingress
}

const refusalOf = ({ host, secret, ingress }: Wish, claims: ClaimedHosts): string | undefined => {
  if (host === '') return 'spec.tls names no host; a certificate needs one'
  if (host.startsWith('*'))
    return `${host}: a server proves wildcards by DNS only, not over HTTP; give its Secret a certificate yourself`
  if (isIP(host) !== 0 || !host.includes('.')) return `${host} is not a name that a public server could look up`
  const served = compileTlsHost(host, claims.ofTlsHost(host)).secret
  if (served !== secret) return `${host} is served with Secret ${served}, not with ${secret}`
  const owner = ownerOf(host, claims)
  if (owner === undefined || owner.metadata.namespace === ingress.metadata.namespace) return undefined
  return `${host} leads to the routes of Ingress ${keyOf(owner)}, which is older; its namespace alone gets certificates for it`
}

/** Whose routes a request for the host meets: the oldest that names it, else that borrows it, else that has it under a wildcard. */
const ownerOf = (host: string, claims: ClaimedHosts): Ingress | undefined => {
  const wildcard = `*${host.slice(host.indexOf('.'))}`
  const candidates = [
    () => claims.ofHost(host),
    () => claims.borrowersOf(host).map(({ ingress }) => ingress),
    () => claims.ofHost(wildcard),
  ]
  for (const find of candidates) {
    const [oldest] = [...find()].sort(byAge)
    if (oldest !== undefined) return oldest
  }
  return undefined
}
