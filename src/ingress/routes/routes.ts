import type { EndpointSlice, Ingress, Secret, Service } from '../../api/index.ts'
import { LiveTable, type RouteTable, type TableDelta } from '../../l7/table/index.ts'
import { type ReadCertificate, readCertificate } from '../certificates/index.ts'
import { compileBackend, RESOURCE_BACKEND, resourceBackend } from './backend.ts'
import { type Claim, Claims } from './claims.ts'
import { compileFallback } from './fallback.ts'
import { compileHost } from './host.ts'
import { keyOf, type RouteProblem } from './problem.ts'
import { compileTlsHost, tlsWishes } from './tls.ts'

/** What routes are made of beside Ingresses; read when a part is compiled. Keys are `namespace/name`. */
export interface RouteSources {
  service(key: string): Service | undefined
  slices(service: string): readonly EndpointSlice[]
  secret(key: string): Secret | undefined
  /** Why a Secret may not be read; undefined when it may. */
  secretRefusal?(key: string): string | undefined
  /**
   * The raw data of the ConfigMaps that set defaults for an Ingress: its class's `spec.parameters` over those for all. Who hands them in puts the Ingress anew
   * (`setIngress`) when they change.
   */
  defaults?(ingress: Ingress): Readonly<Record<string, string>>
  readonly nowMs: number
}

export interface CompiledChange {
  /** Undefined when the table stays as it is. */
  readonly delta: TableDelta | undefined
  /** Problems that were not there before. */
  readonly problems: readonly RouteProblem[]
}

type PartKind = 'host' | 'tlsHost' | 'backend' | 'certificate' | 'fallback'

/**
 * The route table of our Ingresses, kept up to date part by part: a change marks the hosts, backends and certificates that it
 * touches, and `compile` makes only those anew. The result is what compiling everything would give.
 */
export class Routes {
  readonly claims = new Claims()
  readonly #table = new LiveTable()
  readonly #dirty = new Map<string, { readonly kind: PartKind; readonly name: string }>()
  readonly #problems = new Map<string, readonly RouteProblem[]>()
  #defaultCertificate: string | undefined
  #begun = false

  get table(): RouteTable {
    return this.#table
  }

  /** An Ingress that is ours is new or changed. */
  setIngress(ingress: Ingress): void {
    this.#touch(this.claims.set(ingress))
  }

  /** An Ingress is gone, or no longer ours. */
  removeIngress(key: string): void {
    this.#touch(this.claims.remove(key))
  }

  /** A Service (`namespace/name`) or its endpoints changed. */
  serviceChanged(key: string): void {
    for (const id of this.claims.backendsOf(key)) this.#mark('backend', id)
  }

  /** The Secret (`namespace/name`) whose certificate hosts get that have none, unless an Ingress asks for one for every host. */
  setDefaultCertificate(secret: string): void {
    this.#defaultCertificate = secret
    this.#mark('tlsHost', '')
    this.#mark('certificate', secret)
  }

  secretChanged(key: string): void {
    if (this.claims.ofSecret(key).length > 0 || key === this.#defaultCertificate) this.#mark('certificate', key)
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0 || !this.#begun
  }

  /** Compiles what changed since the last call. */
  compile(sources: RouteSources): CompiledChange {
    const delta = newDelta()
    if (!this.#begun) delta.backends.set(RESOURCE_BACKEND, resourceBackend)
    this.#begun = true
    const problems: RouteProblem[] = []
    for (const [key, { kind, name }] of this.#dirty) {
      const found = this.#part(kind, name, { delta, sources })
      problems.push(...this.#news(key, found))
    }
    this.#dirty.clear()
    const changed = this.#changes(delta)
    if (changed !== undefined) this.#table.apply(changed)
    return { delta: changed, problems }
  }

  /** All problems that stand, in the order of Ingresses and messages. */
  standing(): readonly RouteProblem[] {
    const text = (problem: RouteProblem): string => `${problem.ingress} ${problem.reason} ${problem.message}`
    return [...this.#problems.values()].flat().sort((a, b) => (text(a) < text(b) ? -1 : 1))
  }

  #touch(claims: readonly Claim[]): void {
    for (const claim of claims) {
      for (const host of claim.hosts) this.#mark('host', host)
      for (const host of claim.tlsHosts) this.#mark('tlsHost', host)
      for (const secret of claim.secrets) this.#mark('certificate', secret)
      for (const id of claim.backends.keys()) this.#mark('backend', id)
      if (claim.hasDefault) this.#mark('fallback', '')
    }
  }

  #mark(kind: PartKind, name: string): void {
    this.#dirty.set(`${kind} ${name}`, { kind, name })
  }

  #part(
    kind: PartKind,
    name: string,
    { delta, sources }: { readonly delta: MutableDelta; readonly sources: RouteSources },
  ): readonly RouteProblem[] {
    switch (kind) {
      case 'host': {
        const { routes, problems } = compileHost(name, this.claims.ofHost(name))
        delta.hosts.set(name, routes ?? null)
        return problems
      }
      case 'tlsHost': {
        const { secret, problems } = compileTlsHost(name, this.claims.ofTlsHost(name))
        delta.tlsHosts.set(name, secret ?? (name === '' ? this.#defaultCertificate : undefined) ?? null)
        return problems
      }
      case 'fallback': {
        const { target, problems } = compileFallback(this.claims.withDefault())
        delta.fallback = target ?? null
        return problems
      }
      case 'backend':
        return this.#backend(name, delta, sources)
      case 'certificate':
        return this.#certificate(name, delta, sources)
      default:
        return kind satisfies never
    }
  }

  #backend(id: string, delta: MutableDelta, sources: RouteSources): readonly RouteProblem[] {
    const reference = this.claims.reference(id)
    if (reference === undefined) {
      delta.backends.set(id, null)
      return []
    }
    const service = `${reference.namespace}/${reference.service}`
    const { backend, problem } = compileBackend(reference, sources.service(service), sources.slices(service))
    delta.backends.set(id, backend)
    return problem === undefined ? [] : this.claims.ofBackend(id).map((ingress) => ({ ...problem, ingress: keyOf(ingress) }))
  }

  #certificate(secret: string, delta: MutableDelta, sources: RouteSources): readonly RouteProblem[] {
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

  /** Without the entries that are as they were. */
  #changes(delta: MutableDelta): TableDelta | undefined {
    const hosts = changed(this.#table.hosts, delta.hosts)
    const backends = changed(this.#table.backends, delta.backends)
    const tlsHosts = changed(this.#table.tlsHosts, delta.tlsHosts)
    const certificates = changed(this.#table.certificates, delta.certificates)
    const fallback = same(this.#table.fallback ?? null, delta.fallback ?? null) ? undefined : delta.fallback
    const size = hosts.size + backends.size + tlsHosts.size + certificates.size
    return size === 0 && fallback === undefined ? undefined : { hosts, backends, tlsHosts, certificates, fallback }
  }
}

type MutableDelta = {
  readonly [K in 'hosts' | 'backends' | 'tlsHosts' | 'certificates']: Map<string, MapValue<NonNullable<TableDelta[K]>>>
} & { fallback?: TableDelta['fallback'] }
type MapValue<M> = M extends ReadonlyMap<string, infer V> ? V : never

const newDelta = (): MutableDelta => ({ hosts: new Map(), backends: new Map(), tlsHosts: new Map(), certificates: new Map() })

const changed = <T>(table: ReadonlyMap<string, T>, delta: ReadonlyMap<string, T | null>): ReadonlyMap<string, T | null> =>
  new Map([...delta].filter(([key, value]) => !same(table.get(key) ?? null, value)))

/** The compilers build equal values in the same order of keys. */
const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)

const sameProblem = (a: RouteProblem, b: RouteProblem): boolean =>
  a.ingress === b.ingress && a.reason === b.reason && a.message === b.message
