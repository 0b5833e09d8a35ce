import type { BackendReference } from './backend.ts'
import { Groups } from './groups.ts'

/** The backends that a compiled part leads to: each, and the Ingresses (`namespace/name`) that want it. */
export type Needs = ReadonlyMap<string, { readonly reference: BackendReference; readonly ingresses: ReadonlySet<string> }>

/** Which backends the compiled hosts lead to, found by the Services and Secrets that they are made of. */
export class Uses {
  readonly #parts = new Map<string, Needs>()
  readonly #users = new Groups()
  readonly #references = new Map<string, BackendReference>()
  readonly #services = new Groups()
  readonly #secrets = new Groups()

  /** Puts what a part needs in place of what it needed; returns the backends that must be looked at. */
  set(part: string, needs: Needs): readonly string[] {
    const before = this.#parts.get(part) ?? new Map()
    const touched = new Set<string>()
    for (const [id, { reference, ingresses }] of needs) {
      const old = before.get(id)?.ingresses
      if (old?.size === ingresses.size && [...ingresses].every((each) => old?.has(each))) continue
      touched.add(id)
      if (!this.#references.has(id)) this.#add(reference)
      this.#users.add(id, part)
    }
    for (const id of before.keys()) {
      if (needs.has(id)) continue
      touched.add(id)
      this.#users.remove(id, part)
      if (!this.#users.has(id)) this.#forget(id)
    }
    if (needs.size > 0) this.#parts.set(part, needs)
    else this.#parts.delete(part)
    return [...touched]
  }

  /** Undefined when nothing leads to it. */
  reference(id: string): BackendReference | undefined {
    return this.#references.get(id)
  }

  /** The Ingresses that want a backend. */
  ingressesOf(id: string): readonly string[] {
    const parts = [...this.#users.get(id)]
    return [...new Set(parts.flatMap((part) => [...(this.#parts.get(part)?.get(id)?.ingresses ?? [])]))].sort()
  }

  /** The backends that a part leads to because of an Ingress. */
  wantedBy(ingress: string, part: string): readonly string[] {
    return [...(this.#parts.get(part) ?? [])].flatMap(([id, { ingresses }]) => (ingresses.has(ingress) ? [id] : []))
  }

  /** The backends that a Service (`namespace/name`) stands behind, also as a stand-in. */
  ofService(service: string): Iterable<string> {
    return this.#services.get(service)
  }

  ofSecret(secret: string): Iterable<string> {
    return this.#secrets.get(secret)
  }

  #add(reference: BackendReference): void {
    this.#references.set(reference.id, reference)
    for (const service of servicesOf(reference)) this.#services.add(service, reference.id)
    if (reference.settings.tlsSecret !== undefined) this.#secrets.add(reference.settings.tlsSecret, reference.id)
  }

  #forget(id: string): void {
    const reference = this.#references.get(id)
    if (reference === undefined) return
    this.#references.delete(id)
    for (const service of servicesOf(reference)) this.#services.remove(service, id)
    if (reference.settings.tlsSecret !== undefined) this.#secrets.remove(reference.settings.tlsSecret, id)
  }
}

const servicesOf = ({ namespace, service, settings }: BackendReference): readonly string[] => [
  `${namespace}/${service}`,
  ...(settings.standIn === undefined ? [] : [settings.standIn]),
]
