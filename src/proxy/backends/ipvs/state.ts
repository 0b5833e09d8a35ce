import type { IPFamily } from '../../../ip/index.ts'
import type { Forwarding, NodeView } from '../../../model/index.ts'
import type { Change } from '../../backend.ts'
import { type ChainFacts, chainsOf } from './chains.ts'
import { type Books, createBooks, type Difference } from './diff.ts'
import { type Chains, chainsWanted } from './diff-chains.ts'
import { familyOfAddress, type Item } from './items.ts'
import { renderForwarding, renderNode } from './render.ts'

export interface StateOptions {
  readonly families: readonly IPFamily[]
  readonly scheduler: string
  readonly serviceCIDRs: readonly string[]
  readonly masqueradeBit: number
}

/** What was told, as far as this machine can carry it. */
export interface State {
  readonly families: readonly IPFamily[]
  readonly books: Books
  record(change: Change): void
  /** Those that are wanted once the difference is written; the same objects as long as nothing changes in them. */
  chains(difference: Difference): ReadonlyMap<IPFamily, Chains>
  facts(family: IPFamily): ChainFacts
  carried(): Iterable<Carried>
  nodeItems(): readonly Item[]
  /** Whether the books say what the kernel has; not before the first sync, nor after one that failed. */
  isSure: boolean
}

export interface Carried {
  readonly forwarding: Forwarding
  readonly items: readonly Item[]
}

export const createState = ({ families, scheduler, serviceCIDRs, masqueradeBit }: StateOptions): State => {
  const books = createBooks()
  const carried = new Map<string, Carried>()
  let node: NodeView | undefined
  let nodeItems: readonly Item[] = []
  let chains: Map<IPFamily, Chains> | undefined
  const drop = (key: string): void => {
    const known = carried.get(key)
    if (known === undefined) return
    for (const item of known.items) books.release(item)
    carried.delete(key)
  }
  const setNode = (view: NodeView): void => {
    for (const item of nodeItems) books.release(item)
    node = view
    nodeItems = families.flatMap((family) => renderNode(family, view, serviceCIDRs))
    for (const item of nodeItems) books.acquire(item)
    chains = undefined
  }
  const facts = (family: IPFamily): ChainFacts => ({
    family,
    masqueradeAll: node?.masqueradeAll === true,
    hasPods: (node?.podCIDRs.length ?? 0) > 0,
    masqueradeBit,
    redirects: books.redirects().filter(({ address }) => familyOfAddress(address) === family),
  })
  return {
    families,
    books,
    record(change) {
      const set = new Map(change.set.filter(({ family }) => families.includes(family)).map((each) => [each.key, each]))
      for (const key of change.full ? [...carried.keys()].filter((each) => !set.has(each)) : change.delete) drop(key)
      if (JSON.stringify(node) !== JSON.stringify(change.node)) {
        for (const [key, { forwarding }] of carried) if (!set.has(key)) set.set(key, forwarding)
        setNode(change.node)
      }
      // Everything is given up before anything is taken, so that a frontend may pass from one Service to another.
      for (const key of set.keys()) drop(key)
      for (const [key, forwarding] of set) {
        const items = renderForwarding(forwarding, { node: change.node, scheduler })
        for (const item of items) books.acquire(item, key)
        carried.set(key, { forwarding, items })
      }
    },
    chains(difference) {
      if (difference.some(({ item }) => item.kind === 'redirect')) chains = undefined
      chains ??= new Map(families.map((family) => [family, chainsWanted(chainsOf(facts(family)))]))
      return chains
    },
    facts,
    carried: () => carried.values(),
    nodeItems: () => nodeItems,
    isSure: false,
  }
}
