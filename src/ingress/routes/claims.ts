import type { Ingress } from '../../api/index.ts'
import { annotationsOf } from '../annotations/index.ts'
import { Groups } from './groups.ts'
import { hostPattern } from './host-pattern.ts'
import { keyOf } from './problem.ts'
import { tlsWishes } from './tls.ts'

/** A host that an Ingress has no rule for, and gets all the same: an alias of one of its hosts, or the other of `www.x` and `x`. */
export interface Borrowed {
  readonly pattern: string
  /** The host with rules that it stands for. */
  readonly of: string
  readonly as: 'alias' | 'www'
}

/** What one Ingress has a part in. */
export interface Claim {
  readonly ingress: string
  readonly hosts: ReadonlySet<string>
  readonly borrowed: readonly Borrowed[]
  readonly tlsHosts: ReadonlySet<string>
  readonly secrets: ReadonlySet<string>
  /** What its annotations refer to, as `Kind namespace/name`. */
  readonly objects: ReadonlySet<string>
  readonly hasDefault: boolean
}

const claimOf = (ingress: Ingress): Claim => {
  const { rules = [], defaultBackend } = ingress.spec
  const wishes = tlsWishes(ingress)
  const { referred } = annotationsOf(ingress)
  return {
    ingress: keyOf(ingress),
    hosts: new Set(rules.map((rule) => hostPattern(rule.host))),
    borrowed: borrowedBy(ingress),
    tlsHosts: new Set(wishes.map(({ pattern }) => pattern)),
    secrets: new Set(wishes.map(({ secret }) => secret)),
    objects: new Set([
      ...[...referred.secrets.values()].map((key) => `Secret ${key}`),
      ...[...referred.configMaps.values()].map((key) => `ConfigMap ${key}`),
    ]),
    hasDefault: defaultBackend !== undefined,
  }
}

const borrowedBy = (ingress: Ingress): readonly Borrowed[] => {
  const { values } = annotationsOf(ingress)
  if (values.canary === true) return []
  const hosts = [...new Set((ingress.spec.rules ?? []).map((rule) => hostPattern(rule.host)))]
  const [first] = hosts
  const aliases = first === undefined || first === '' ? [] : (values['server-alias'] ?? [])
  const twins = values['from-to-www-redirect'] === true ? hosts.filter((host) => host !== '' && !host.startsWith('*')) : []
  return [
    ...aliases.map((pattern) => ({ pattern, of: first ?? '', as: 'alias' as const })),
    ...twins.map((host) => ({ pattern: host.startsWith('www.') ? host.slice(4) : `www.${host}`, of: host, as: 'www' as const })),
  ]
}

/**
 * Our Ingresses, found by what they have a part in: so that a change of one Ingress or Secret leads to the few hosts that it touches, and
 * to no others.
 */
export class Claims {
  readonly #ingresses = new Map<string, { readonly ingress: Ingress; readonly claim: Claim }>()
  readonly #hosts = new Groups()
  readonly #borrowed = new Groups()
  readonly #lent = new Groups()
  readonly #under = new Groups()
  readonly #tlsHosts = new Groups()
  readonly #secrets = new Groups()
  readonly #objects = new Groups()
  readonly #defaults = new Set<string>()

  /** Puts an Ingress in place of its earlier version; returns what both have a part in. */
  set(ingress: Ingress): readonly Claim[] {
    const key = keyOf(ingress)
    const before = this.remove(key)
    const claim = claimOf(ingress)
    this.#ingresses.set(key, { ingress, claim })
    for (const [groups, names] of this.#membership(claim)) for (const name of names) groups.add(name, key)
    if (claim.hasDefault) this.#defaults.add(key)
    return [...before, claim]
  }

  /** Forgets an Ingress; returns what it had a part in. */
  remove(key: string): readonly Claim[] {
    const known = this.#ingresses.get(key)
    if (known === undefined) return []
    const { claim } = known
    this.#ingresses.delete(key)
    for (const [groups, names] of this.#membership(claim)) for (const name of names) groups.remove(name, key)
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

  /** Whether an Ingress that is no canary has a rule for the host. */
  hasRules(pattern: string): boolean {
    return this.ofHost(pattern).some((ingress) => annotationsOf(ingress).values.canary !== true)
  }

  /** Who gets a host without a rule for it, and by which of its rules. */
  borrowersOf(pattern: string): readonly { readonly ingress: Ingress; readonly borrowed: Borrowed }[] {
    return [...this.#borrowed.get(pattern)].flatMap((key) => {
      const known = this.#ingresses.get(key)
      const found = known?.claim.borrowed.filter((each) => each.pattern === pattern) ?? []
      return known === undefined ? [] : found.map((borrowed) => ({ ingress: known.ingress, borrowed }))
    })
  }

  /** The hosts that stand for this one. */
  lentTo(pattern: string): readonly string[] {
    const patterns = [...this.#lent.get(pattern)].flatMap((key) =>
      (this.#ingresses.get(key)?.claim.borrowed ?? []).filter((each) => each.of === pattern).map((each) => each.pattern),
    )
    return [...new Set(patterns)]
  }

  /** The plain hosts that a pattern `*.x` covers, among those that anybody has. */
  under(wildcard: string): readonly string[] {
    const hosts = [...this.#under.get(wildcard)].flatMap((key) => {
      const claim = this.#ingresses.get(key)?.claim
      return claim === undefined ? [] : patternsOf(claim).filter((host) => wildcardOf(host) === wildcard)
    })
    return [...new Set(hosts)]
  }

  ofTlsHost(pattern: string): readonly Ingress[] {
    return this.#all(this.#tlsHosts.get(pattern))
  }

  hasTls(pattern: string): boolean {
    return this.#tlsHosts.has(pattern) || this.#tlsHosts.has(wildcardOf(pattern))
  }

  ofSecret(secret: string): readonly Ingress[] {
    return this.#all(this.#secrets.get(secret))
  }

  /** The Ingresses whose annotations refer to `Kind namespace/name`. */
  ofObject(object: string): readonly string[] {
    return [...this.#objects.get(object)]
  }

  claim(key: string): Claim | undefined {
    return this.#ingresses.get(key)?.claim
  }

  /** Every Secret (`namespace/name`) that one of our Ingresses refers to: who reads them needs no others. */
  referencedSecrets(): Iterable<string> {
    return new Set([...this.#secrets.names(), ...this.#objectsOf('Secret ')])
  }

  /** Every ConfigMap (`namespace/name`) that an annotation refers to. */
  referencedConfigMaps(): Iterable<string> {
    return this.#objectsOf('ConfigMap ')
  }

  withDefault(): readonly Ingress[] {
    return this.#all(this.#defaults)
  }

  #objectsOf(kind: string): readonly string[] {
    return [...this.#objects.names()].filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length))
  }

  #membership(claim: Claim): readonly (readonly [Groups, Iterable<string>])[] {
    return [
      [this.#hosts, claim.hosts],
      [this.#borrowed, claim.borrowed.map(({ pattern }) => pattern)],
      [this.#lent, claim.borrowed.map(({ of }) => of)],
      [this.#under, patternsOf(claim).map(wildcardOf)],
      [this.#tlsHosts, claim.tlsHosts],
      [this.#secrets, claim.secrets],
      [this.#objects, claim.objects],
    ]
  }

  #all(keys: Iterable<string>): readonly Ingress[] {
    return [...keys].flatMap((key) => this.get(key) ?? [])
  }
}

const patternsOf = (claim: Claim): readonly string[] => [...claim.hosts, ...claim.borrowed.map(({ pattern }) => pattern)]

/** `*.io` of `a.io`. */
const wildcardOf = (host: string): string => {
  const dot = host.indexOf('.')
  return dot > 0 && !host.startsWith('*') ? `*${host.slice(dot)}` : ' none'
}
