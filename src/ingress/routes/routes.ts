import type { Ingress } from '../../api/index.ts'
import { LiveTable, type RouteTable, type TableDelta } from '../../l7/table/index.ts'
import { type IngressSettings, ingressSettings, readDefaults } from '../annotations/index.ts'
import { type ReadCertificate, readCertificate } from '../certificates/index.ts'
import { compileBackend, NO_BACKEND, noBackend, RESOURCE_BACKEND, resourceBackend } from './backend.ts'
import { chooseBorrower, twinRoutes } from './borrowed-host.ts'
import { type MutableDelta, newDelta, realChanges } from './changes.ts'
import { type Claim, Claims } from './claims.ts'
import { isForNginx } from './class-profile.ts'
import { compileFallback } from './fallback.ts'
import { type CompiledHost, compileHost, type LostRoute } from './host.ts'
import { keyOf, type RouteProblem } from './problem.ts'
import type { RouteSources } from './sources.ts'
import { compileTlsHost, tlsWishes } from './tls.ts'
import { type Needs, Uses } from './uses.ts'

export interface CompiledChange {
  /** Undefined when the table stays as it is. */
  readonly delta: TableDelta | undefined
  /** Problems that were not there before. */
  readonly problems: readonly RouteProblem[]
}

/** In the order in which they are compiled: each needs those before it. */
const KINDS = ['ingress', 'host', 'tlsHost', 'fallback', 'backend', 'certificate'] as const
type PartKind = (typeof KINDS)[number]

interface Compilation {
  readonly delta: MutableDelta
  readonly sources: RouteSources
}

/**
 * The route table of our Ingresses, kept up to date part by part: a change marks the settings, hosts, backends and certificates that it
 * touches, and `compile` makes only those anew. The result is what compiling everything would give.
 */
export class Routes {
  readonly claims = new Claims()
  readonly #table = new LiveTable()
  readonly #dirty: Readonly<Record<PartKind, Set<string>>> = {
    ingress: new Set(),
    host: new Set(),
    tlsHost: new Set(),
    fallback: new Set(),
    backend: new Set(),
    certificate: new Set(),
  }
  readonly #problems = new Map<string, readonly RouteProblem[]>()
  readonly #settings = new Map<string, IngressSettings>()
  readonly #uses = new Uses()
  readonly #lost = new Map<string, readonly LostRoute[]>()
  #defaultCertificate: string | undefined
  #begun = false

  get table(): RouteTable {
    return this.#table
  }

  /** An Ingress that is ours is new or changed, or its defaults are. */
  setIngress(ingress: Ingress): void {
    this.#touchAll(() => this.claims.set(ingress))
  }

  /** An Ingress is gone, or no longer ours. */
  removeIngress(key: string): void {
    this.#touchAll(() => this.claims.remove(key))
  }

  /** A Service (`namespace/name`) or its endpoints changed. */
  serviceChanged(key: string): void {
    for (const id of this.#uses.ofService(key)) this.#mark('backend', id)
  }

  /** The Secret (`namespace/name`) whose certificate hosts get that have none, unless an Ingress asks for one for every host. */
  setDefaultCertificate(secret: string): void {
    this.#defaultCertificate = secret
    this.#mark('tlsHost', '')
    this.#mark('certificate', secret)
  }

  secretChanged(key: string): void {
    if (this.claims.ofSecret(key).length > 0 || key === this.#defaultCertificate) this.#mark('certificate', key)
    for (const id of this.#uses.ofSecret(key)) this.#mark('backend', id)
    this.#objectChanged(`Secret ${key}`)
  }

  /** A ConfigMap (`namespace/name`) that an annotation refers to changed. */
  configMapChanged(key: string): void {
    this.#objectChanged(`ConfigMap ${key}`)
  }

  get isDirty(): boolean {
    return !this.#begun || KINDS.some((kind) => this.#dirty[kind].size > 0)
  }

  /** Compiles what changed since the last call. */
  compile(sources: RouteSources): CompiledChange {
    const delta = newDelta()
    if (!this.#begun) {
      delta.backends.set(RESOURCE_BACKEND, resourceBackend)
      delta.backends.set(NO_BACKEND, noBackend)
    }
    this.#begun = true
    const problems: RouteProblem[] = []
    for (const kind of KINDS) {
      for (const name of this.#dirty[kind])
        problems.push(...this.#news(`${kind} ${name}`, this.#part(kind, name, { delta, sources })))
      this.#dirty[kind].clear()
    }
    const changed = realChanges(this.#table, delta)
    if (changed !== undefined) this.#table.apply(changed)
    return { delta: changed, problems }
  }

  /** All problems that stand, in the order of Ingresses and messages. */
  standing(): readonly RouteProblem[] {
    const text = (problem: RouteProblem): string => `${problem.ingress} ${problem.reason} ${problem.message}`
    return [...this.#problems.values()].flat().sort((a, b) => (text(a) < text(b) ? -1 : 1))
  }

  /** The rules of a host that others beat, as it was compiled last. */
  lostOf(pattern: string): readonly LostRoute[] {
    return this.#lost.get(pattern) ?? []
  }

  /** What a change of claims touches: what they had and have a part in, and the hosts that stand for or under those. */
  #touchAll(change: () => readonly Claim[]): void {
    for (const claim of change()) this.#touch(claim)
  }

  #touch(claim: Claim): void {
    this.#mark('ingress', claim.ingress)
    this.#touchHosts(claim)
    for (const secret of claim.secrets) this.#mark('certificate', secret)
    for (const pattern of claim.tlsHosts) {
      this.#markHost(pattern)
      // Whether a host redirects to https depends on a certificate for it.
      for (const host of this.claims.under(pattern)) this.#markHost(host)
      if (pattern === '') this.#mark('fallback', '')
    }
  }

  #touchHosts(claim: Claim): void {
    for (const host of claim.hosts) this.#markHost(host)
    for (const { pattern } of claim.borrowed) this.#markHost(pattern)
    if (claim.hasDefault) this.#mark('fallback', '')
  }

  #markHost(pattern: string): void {
    for (const host of [pattern, ...this.claims.lentTo(pattern)]) {
      this.#mark('host', host)
      this.#mark('tlsHost', host)
    }
  }

  #objectChanged(object: string): void {
    for (const key of this.claims.ofObject(object)) {
      this.#mark('ingress', key)
      const claim = this.claims.claim(key)
      if (claim !== undefined) this.#touchHosts(claim)
    }
  }

  #mark(kind: PartKind, name: string): void {
    this.#dirty[kind].add(name)
  }

  #part(kind: PartKind, name: string, compilation: Compilation): readonly RouteProblem[] {
    switch (kind) {
      case 'ingress':
        return this.#ingress(name, compilation)
      case 'host':
        return this.#host(name, compilation)
      case 'tlsHost':
        return this.#tlsHost(name, compilation)
      case 'fallback':
        return this.#fallback(compilation)
      case 'backend':
        return this.#backend(name, compilation)
      case 'certificate':
        return this.#certificate(name, compilation)
      default:
        return kind satisfies never
    }
  }

  #ingress(key: string, { sources }: Compilation): readonly RouteProblem[] {
    const ingress = this.claims.get(key)
    if (ingress === undefined) {
      this.#settings.delete(key)
      return []
    }
    const settings = settingsOf(ingress, sources)
    if (this.#settings.get(key)?.defaults.values['load-balance'] !== settings.defaults.values['load-balance'])
      this.#touchBackends(key)
    this.#settings.set(key, settings)
    return settings.findings.map(({ reason, message }) => ({ ingress: key, reason, message }))
  }

  #host(pattern: string, { delta, sources }: Compilation): readonly RouteProblem[] {
    const settings = (ingress: Ingress): IngressSettings => this.#settings.get(keyOf(ingress)) ?? settingsOf(ingress, sources)
    const borrowers = this.claims.borrowersOf(pattern)
    const own = compileHost({
      pattern,
      ruleHost: pattern,
      ingresses: this.claims.ofHost(pattern),
      hasTls: this.claims.hasTls(pattern),
      settings,
    })
    const { winner, problems } = chooseBorrower(borrowers, this.claims.hasRules(pattern))
    if (winner === undefined) {
      this.#setHost(pattern, own, delta)
      return [...own.problems, ...problems]
    }
    const { of } = winner.borrowed
    const hasTls = this.claims.hasTls(pattern) || this.claims.hasTls(of)
    if (winner.borrowed.as === 'www') {
      const routes = twinRoutes(winner, settings(winner.ingress), hasTls)
      this.#setHost(pattern, { ...own, routes, needs: new Map(), clientAuth: undefined, passthrough: undefined }, delta)
      return [...own.problems, ...problems]
    }
    const lent = compileHost({ pattern, ruleHost: of, ingresses: this.claims.ofHost(of), hasTls, settings })
    this.#setHost(pattern, lent, delta)
    // What is wrong with the rules is told for the host that they are for.
    return [...own.problems, ...problems]
  }

  /** A backend takes its balancing from the defaults of the Ingress that sets none. */
  #touchBackends(key: string): void {
    const hosts = [
      ...(this.claims.claim(key)?.hosts ?? []),
      ...(this.claims.claim(key)?.borrowed ?? []).map(({ pattern }) => pattern),
    ]
    for (const part of [...hosts.map((host) => `host ${host}`), 'fallback'])
      for (const id of this.#uses.wantedBy(key, part)) this.#mark('backend', id)
  }

  #setHost(pattern: string, { routes, clientAuth, passthrough, needs, lost }: CompiledHost, delta: MutableDelta): void {
    delta.hosts.set(pattern, routes ?? null)
    delta.clientAuth.set(pattern, (routes && clientAuth) ?? null)
    delta.passthrough.set(pattern, passthrough ?? null)
    if (lost.length > 0) this.#lost.set(pattern, lost)
    else this.#lost.delete(pattern)
    this.#setNeeds(`host ${pattern}`, needs)
  }

  #setNeeds(part: string, needs: Needs): void {
    for (const id of this.#uses.set(part, needs)) this.#mark('backend', id)
  }

  #tlsHost(pattern: string, { delta }: Compilation): readonly RouteProblem[] {
    const { secret, problems } = compileTlsHost(pattern, this.claims.ofTlsHost(pattern))
    const lender = chooseBorrower(this.claims.borrowersOf(pattern), this.claims.hasRules(pattern)).winner
    const lent = lender && compileTlsHost(lender.borrowed.of, this.claims.ofTlsHost(lender.borrowed.of)).secret
    const served = secret ?? lent ?? (pattern === '' ? this.#defaultCertificate : undefined)
    delta.tlsHosts.set(pattern, served ?? null)
    return problems
  }

  #fallback({ delta, sources }: Compilation): readonly RouteProblem[] {
    const settings = (ingress: Ingress): IngressSettings => this.#settings.get(keyOf(ingress)) ?? settingsOf(ingress, sources)
    const compiled = compileFallback({ ingresses: this.claims.withDefault(), hasTls: this.claims.hasTls(''), settings })
    delta.fallback = compiled.target ?? null
    this.#setNeeds('fallback', compiled.needs)
    return compiled.problems
  }

  #backend(id: string, { delta, sources }: Compilation): readonly RouteProblem[] {
    const reference = this.#uses.reference(id)
    if (reference === undefined) {
      delta.backends.set(id, null)
      return []
    }
    const wanted = this.#uses.ingressesOf(id)
    const balance = wanted.flatMap((key) => this.#settings.get(key)?.defaults.values['load-balance'] ?? [])[0]
    const { backend, problem } = compileBackend(reference, sources, { balance })
    delta.backends.set(id, backend)
    return problem === undefined ? [] : wanted.map((ingress) => ({ ...problem, ingress }))
  }

  #certificate(secret: string, { delta, sources }: Compilation): readonly RouteProblem[] {
    const ingresses = this.claims.ofSecret(secret)
    if (ingresses.length === 0 && secret !== this.#defaultCertificate) {
      delta.certificates.set(secret, null)
      return []
    }
    const read = (hosts: readonly string[]): ReadCertificate =>
      readCertificate(secret, sources.secret(secret), { hosts, nowMs: sources.nowMs })
    delta.certificates.set(secret, read([]).certificate ?? null)
    const refusal = sources.secretRefusal?.(secret)
    if (refusal !== undefined) {
      const message = `Secret ${secret} may not be read: ${refusal}`
      return ingresses.map((ingress) => ({ ingress: keyOf(ingress), reason: 'SecretForbidden', message }))
    }
    return ingresses.flatMap((ingress) => {
      const hosts = tlsWishes(ingress)
        .filter((wish) => wish.secret === secret)
        .map(({ pattern }) => pattern)
      return read([...new Set(hosts)]).problems.map((problem) => ({ ...problem, ingress: keyOf(ingress) }))
    })
  }

  #news(key: string, found: readonly RouteProblem[]): readonly RouteProblem[] {
    const before = this.#problems.get(key) ?? []
    if (found.length > 0) this.#problems.set(key, found)
    else this.#problems.delete(key)
    return found.filter((problem) => !before.some((old) => sameProblem(old, problem)))
  }
}

const settingsOf = (ingress: Ingress, sources: RouteSources): IngressSettings =>
  ingressSettings(ingress, sources, defaultsOf(sources.defaults?.(ingress) ?? {}, isForNginx(ingress), sources.httpsPort ?? 443))

const MOST_DEFAULTS = 32
const knownDefaults = new Map<string, ReturnType<typeof readDefaults>>()

/** There are as many defaults as classes, and one of them for thousands of Ingresses. */
const defaultsOf = (
  raw: Readonly<Record<string, string>>,
  isNginx: boolean,
  httpsPort: number,
): ReturnType<typeof readDefaults> => {
  const key = JSON.stringify([raw, isNginx, httpsPort])
  const known = knownDefaults.get(key)
  if (known !== undefined) return known
  if (knownDefaults.size >= MOST_DEFAULTS) knownDefaults.clear()
  const read = readDefaults(raw, { isNginx, httpsPort })
  knownDefaults.set(key, read)
  return read
}

const sameProblem = (a: RouteProblem, b: RouteProblem): boolean =>
  a.ingress === b.ingress && a.reason === b.reason && a.message === b.message
