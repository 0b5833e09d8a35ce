import type { BackendReference } from './backend.ts'
import type { Needs } from './uses.ts'

/** Gathers what one part leads to. */
export class NeedsBuilder {
  readonly #needs = new Map<string, { readonly reference: BackendReference; readonly ingresses: Set<string> }>()

  add(reference: BackendReference, ingress: string): void {
    const known = this.#needs.get(reference.id)
    if (known === undefined) this.#needs.set(reference.id, { reference, ingresses: new Set([ingress]) })
    else known.ingresses.add(ingress)
  }

  get all(): Needs {
    return this.#needs
  }
}
