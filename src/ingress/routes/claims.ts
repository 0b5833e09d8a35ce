import type { Ingress } from '../../api/index.ts'
import { type BackendReference, referenceOf } from './backend.ts'
import { hostPattern } from './host.ts'
import { keyOf } from './problem.ts'
import { tlsWishes } from './tls.ts'

/** What one Ingress has a part in. */
export interface Claim {
  readonly hosts: ReadonlySet<string>
  readonly tlsHosts: ReadonlySet<string>
  readonly secrets: ReadonlySet<string>
  readonly backends: ReadonlyMap<string, BackendReference>
  readonly hasDefault: boolean
}

const claimOf = (ingress: Ingress): Claim => {
  const { rules = [], defaultBackend } = ingress.spec
  const wishes = tlsWishes(ingress)
  const used = [
    ...rules.flatMap((rule) => (rule.http?.paths ?? []).map(({ backend }) => backend)),
    ...(defaultBackend ? [defaultBackend] : []),
  ]
  const references = used.flatMap((backend) => referenceOf(ingress, backend) ?? [])
  return {
    hosts: new Set(rules.map((rule) => hostPattern(rule.host))),
    tlsHosts: new Set(wishes.map(({ pattern }) => pattern)),
    secrets: new Set(wishes.map(({ secret }) => secret)),
    backends: new Map(references.map((reference) => [reference.id, reference])),
    hasDefault: defaultBackend !== undefined,
  }
}

/**
 * Our Ingresses, found by what they have a part in: so that a change of one Ingress, Service or Secret leads to the few hosts and
 * backends that it touches, and to no others.
 */
export class Claims {
  readonly #ingresses = new Map<string, { readonly ingress: Ingress; readonly claim: Claim }>()
  readonly #hosts = new Groups()
  readonly #tlsHosts = new Groups()
  readonly #secrets = new Groups()
  readonly #backends = new Groups()
  readonly #references = new Map<string, BackendReference>()
  readonly #services = new Groups()
  readonly #defaults = new Set<string>()

  /** Puts an Ingress in place of its earlier version; returns what both have a part in. */
  set(ingress: Ingress): readonly Claim[] {
    const key = keyOf(ingress)
    const before = this.remove(key)
    const claim = claimOf(ingress)
    this.#ingresses.set(key, { ingress, claim })
    for (const host of claim.hosts) this.#hosts.add(host, key)
    for (const host of claim.tlsHosts) this.#tlsHosts.add(host, key)
    for (const secret of claim.secrets) this.#secrets.add(secret, key)
    for (const [id, reference] of claim.backends) {
      this.#backends.add(id, key)
      this.#references.set(id, reference)
      this.#services.add(`${reference.namespace}/${reference.service}`, id)
    }
    if (claim.hasDefault) this.#defaults.add(key)
    return [...before, claim]
  }

  /** Forgets an Ingress; returns what it had a part in. */
  remove(key: string): readonly Claim[] {
    const known = this.#ingresses.get(key)
    if (known === undefined) return []
    const { claim } = known
    this.#ingresses.delete(key)
    for (const host of claim.hosts) this.#hosts.remove(host, key)
    for (const host of claim.tlsHosts) this.#tlsHosts.remove(host, key)
    for (const secret of claim.secrets) this.#secrets.remove(secret, key)
    for (const [id, reference] of claim.backends) {
      this.#backends.remove(id, key)
      if (this.#backends.has(id)) continue
      this.#references.delete(id)
      this.#services.remove(`${reference.namespace}/${reference.service}`, id)
    }
    this.#defaults.delete(key)
    return [claim]
  }

  get(key: string): Ingress | undefined {
    return this.#ingresses.get(key)?.ingress
  }

  keys(): readonly string[] {
    return [...this.#ingresses.keys()]
  }

  ofHost(pattern: string): readonly Ingress[] {
    return this.#all(this.#hosts.get(pattern))
  }

  ofTlsHost(pattern: string): readonly Ingress[] {
    return this.#all(this.#tlsHosts.get(pattern))
  }

  ofSecret(secret: string): readonly Ingress[] {
    return this.#all(this.#secrets.get(secret))
  }

  /** Every Secret (`namespace/name`) that one of our Ingresses refers to: who reads them needs no others. */
  referencedSecrets(): Iterable<string> {
    return this.#secrets.names()
  }

  ofBackend(id: string): readonly Ingress[] {
    return this.#all(this.#backends.get(id))
  }

  withDefault(): readonly Ingress[] {
    return this.#all(this.#defaults)
  }

  /** Undefined when no Ingress routes to it. */
  reference(id: string): BackendReference | undefined {
    return this.#references.get(id)
  }

  /** The backends that a Service (`namespace/name`) stands behind. */
  backendsOf(service: string): readonly string[] {
    return [...this.#services.get(service)]
  }

  #all(keys: Iterable<string>): readonly Ingress[] {
    return [...keys].flatMap((key) => this.get(key) ?? [])
  }
}

class Groups {
  readonly #groups = new Map<string, Set<string>>()

  add(group: string, member: string): void {
    const members = this.#groups.get(group)
    if (members === undefined) this.#groups.set(group, new Set([member]))
    else members.add(member)
  }

  remove(group: string, member: string): void {
    const members = this.#groups.get(group)
    members?.delete(member)
    if (members?.size === 0) this.#groups.delete(group)
  }

  get(group: string): Iterable<string> {
    return this.#groups.get(group) ?? []
  }

  names(): Iterable<string> {
    return this.#groups.keys()
  }

  has(group: string): boolean {
    return this.#groups.has(group)
  }
}
