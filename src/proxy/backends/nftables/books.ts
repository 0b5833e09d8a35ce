import type { IPFamily } from '../../../ip/index.ts'
import type { Element } from '../../../kernel/nft/index.ts'
import type { Forwarding, NodeView } from '../../../model/index.ts'
import type { Present } from './diff.ts'
import { SERVICES } from './layout.ts'
import { createNumbers } from './numbers.ts'
import {
  type Carried,
  hairpinKey,
  type RenderContext,
  type Rendered,
  renderContext,
  renderForwarding,
  renderNode,
} from './render.ts'
import { type SlotsBefore, slotsCarried, slotsOf } from './slots.ts'

/**
 * The record of one family: which Services are in the kernel and in which order their endpoints. Elements are not kept, they are rendered again when a
 * Service changes: at 50,000 Services that is the difference between some ten and some hundred megabytes.
 */
export interface Books {
  readonly carried: ReadonlyMap<string, Carried>
  /** How many entries of the services maps lead to each choice. */
  readonly choices: ReadonlyMap<string, number>
  /** Services that the kernel refused, with why; they have nothing in it. */
  readonly refused: Map<string, Refused>
  /** The node from now on. True when that changes what Services need in the kernel, so that nothing rendered before holds. */
  setNode(node: NodeView): boolean
  /** What belongs to no Service. */
  nodeElements(): readonly Element[]
  /** What a Service that is carried has in the kernel, and what of it others may share. */
  told(key: string): Taken
  /** Puts what a Service has into `present`. */
  lift(key: string, present: Present): void
  /** Forgets a Service. */
  drop(key: string): void
  /** Takes a Service on; gives its elements and those that it is the first to share. Its endpoints keep the slots that they had, or have in the kernel. */
  carry(forwarding: Forwarding, present: Present, before?: SlotsBefore): Taken
  /** The kernel has nothing of a Service: it shares nothing either. */
  refuse(key: string, refused: Refused, present: Present): void
  /** Nothing is in the kernel as far as is known, and these are to be carried: the others are forgotten. */
  restart(wanted: ReadonlyMap<string, Forwarding>): void
  /** Gives back the numbers that no Service uses any longer. */
  releaseNumbers(): void
  context(): RenderContext
}

export interface Refused {
  readonly code: string
  readonly message: string
}

interface Taken {
  readonly elements: readonly Element[]
  readonly shared: readonly Element[]
}

export const createBooks = (family: IPFamily, serviceCIDRs: readonly string[]): Books => new FamilyBooks(family, serviceCIDRs)

class FamilyBooks implements Books {
  readonly carried = new Map<string, Carried>()
  readonly refused = new Map<string, Refused>()
  readonly choices = new Map<string, number>()
  readonly #family: IPFamily
  readonly #serviceCIDRs: readonly string[]
  readonly #numbers = createNumbers()
  /** How many Services share an endpoint's element in `hairpin`. */
  readonly #hairpins = new Map<string, number>()
  readonly #released = new Set<string>()
  #context: RenderContext | undefined
  #nodeElements: readonly Element[] = []
  /** What of the node matters here. */
  #node = ''

  constructor(family: IPFamily, serviceCIDRs: readonly string[]) {
    this.#family = family
    this.#serviceCIDRs = serviceCIDRs
  }

  setNode(node: NodeView): boolean {
    const { addresses, podCIDRs, nodePortAddresses } = node
    const text = JSON.stringify([addresses, podCIDRs, nodePortAddresses])
    if (text === this.#node) return false
    this.#node = text
    this.#context = renderContext(this.#family, node, this.#numbers)
    this.#nodeElements = renderNode(this.#family, node, this.#serviceCIDRs)
    return true
  }

  nodeElements(): readonly Element[] {
    return this.#nodeElements
  }

  told(key: string): Taken {
    const known = this.carried.get(key)
    if (known === undefined || this.refused.has(key)) return { elements: [], shared: [] }
    const { elements, hairpins } = this.#render(known)
    return { elements, shared: [...hairpins].map((address) => ({ set: 'hairpin', key: hairpinKey(address) })) }
  }

  lift(key: string, present: Present): void {
    const known = this.carried.get(key)
    if (known === undefined || this.refused.has(key)) return
    const { elements, hairpins, names } = this.#render(known)
    for (const element of elements) present.put(element)
    this.#count(elements, -1)
    for (const name of names) this.#released.add(name)
    this.#release(hairpins, present)
  }

  drop(key: string): void {
    this.carried.delete(key)
    this.refused.delete(key)
  }

  carry(forwarding: Forwarding, present: Present, before?: SlotsBefore): Taken {
    const known = this.carried.get(forwarding.key)
    const slots = slotsOf(forwarding, before ?? slotsCarried(known?.forwarding, known?.slots ?? []))
    const carried: Carried = { forwarding, slots }
    this.carried.set(forwarding.key, carried)
    this.refused.delete(forwarding.key)
    const { elements, hairpins, names } = this.#render(carried)
    this.#count(elements, 1)
    for (const name of names) this.#released.delete(name)
    return { elements, shared: this.#acquire(hairpins, present) }
  }

  refuse(key: string, refused: Refused, present: Present): void {
    const known = this.carried.get(key)
    if (known === undefined || this.refused.has(key)) return
    const { elements, hairpins, names } = this.#render(known)
    this.#count(elements, -1)
    this.#release(hairpins, present)
    for (const name of names) this.#released.add(name)
    this.refused.set(key, refused)
  }

  restart(wanted: ReadonlyMap<string, Forwarding>): void {
    this.#hairpins.clear()
    this.choices.clear()
    this.refused.clear()
    for (const key of this.carried.keys()) if (!wanted.has(key)) this.carried.delete(key)
    for (const name of this.#numbers.names()) this.#released.add(name)
  }

  releaseNumbers(): void {
    for (const name of this.#released) this.#numbers.release(name)
    this.#released.clear()
  }

  context(): RenderContext {
    if (this.#context === undefined) throw new Error('nftables: nothing can be rendered before the node is known')
    return this.#context
  }

  #render(carried: Carried): Rendered {
    return renderForwarding(carried, this.context())
  }

  #count(elements: readonly Element[], difference: number): void {
    for (const { set, value } of elements) {
      if (value === undefined || !SERVICES.has(set)) continue
      const count = (this.choices.get(value) ?? 0) + difference
      if (count > 0) this.choices.set(value, count)
      else this.choices.delete(value)
    }
  }

  #release(hairpins: ReadonlySet<string>, present: Present): void {
    for (const address of hairpins) {
      const count = this.#hairpins.get(address) ?? 0
      if (count > 1) {
        this.#hairpins.set(address, count - 1)
        continue
      }
      this.#hairpins.delete(address)
      if (count === 1) present.put({ set: 'hairpin', key: hairpinKey(address) })
    }
  }

  #acquire(hairpins: ReadonlySet<string>, present: Present): readonly Element[] {
    const added: Element[] = []
    for (const address of hairpins) {
      const count = this.#hairpins.get(address) ?? 0
      this.#hairpins.set(address, count + 1)
      const element = { set: 'hairpin', key: hairpinKey(address) }
      if (count === 0 && present.take(element) === 'missing') added.push(element)
    }
    return added
  }
}
