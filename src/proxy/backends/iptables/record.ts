import { errorMessage } from '../../../base/index.ts'
import type { Forwarding, NodeView } from '../../../model/index.ts'
import type { Change } from '../../backend.ts'
import { type Books, createBooks } from './diff.ts'
import type { Release } from './diff-steps.ts'
import { entries, fixedChains, type LayoutOptions, nodeItems } from './layout.ts'
import type { Rendered } from './port-view.ts'
import { renderForwarding } from './render.ts'

/** What one family was told. */
export interface Told {
  readonly books: Books
  readonly carried: ReadonlyMap<string, Carried>
  /** Undefined before the first change. */
  readonly layout: LayoutOptions | undefined
  /** Brings the books up to date; gives the Services that cannot be put into rules at all, with the reason. */
  record(change: Change): Refused
  take(forwarding: Forwarding): void
  drop(key: string): void
}

/** Services that are not carried, by key, and why. */
export type Refused = Map<string, { readonly forwarding: Forwarding; readonly reason: string }>

interface Carried {
  readonly forwarding: Forwarding
  readonly releases: readonly Release[]
}

/** kube-proxy's: with more endpoints in all, chains have no comments. */
const LARGE_CLUSTER_ENDPOINTS = 1000

export const createTold = (options: Omit<LayoutOptions, 'node'>): Told => {
  const books = createBooks()
  const carried = new Map<string, Carried>()
  let layout: LayoutOptions | undefined
  let fixed: readonly Release[] = []
  let endpoints = 0
  const drop = (key: string): void => {
    const known = carried.get(key)
    if (known === undefined) return
    for (const release of known.releases) release()
    endpoints -= endpointsOf(known.forwarding)
    carried.delete(key)
  }
  const take = (forwarding: Forwarding): void => {
    if (layout === undefined) return
    const rendered = renderForwarding(forwarding, { ...layout, hasComments: endpoints <= LARGE_CLUSTER_ENDPOINTS })
    carried.set(forwarding.key, { forwarding, releases: acquire(books, rendered, forwarding.key) })
  }
  const layOut = (node: NodeView): void => {
    for (const release of fixed) release()
    layout = { ...options, node }
    fixed = acquire(books, { chains: fixedChains(layout), items: [...entries(), ...nodeItems(layout)] })
  }
  return {
    books,
    carried,
    get layout() {
      return layout
    },
    record(change) {
      const set = new Map(change.set.filter((each) => each.family === options.family).map((each) => [each.key, each]))
      for (const key of change.full ? [...carried.keys()].filter((each) => !set.has(each)) : change.delete) drop(key)
      if (layout === undefined || JSON.stringify(layout.node) !== JSON.stringify(change.node)) {
        for (const [key, { forwarding }] of carried) if (!set.has(key)) set.set(key, forwarding)
        layOut(change.node)
      }
      // Everything is given up before anything is taken, so that a frontend may pass from one Service to another.
      for (const key of set.keys()) drop(key)
      for (const forwarding of set.values()) endpoints += endpointsOf(forwarding)
      return takeAll(set.values(), take, (forwarding) => {
        endpoints -= endpointsOf(forwarding)
      })
    },
    take(forwarding) {
      endpoints += endpointsOf(forwarding)
      take(forwarding)
    },
    drop,
  }
}

/** One Service that cannot be rendered does not keep the others. */
const takeAll = (
  set: Iterable<Forwarding>,
  take: (forwarding: Forwarding) => void,
  leave: (forwarding: Forwarding) => void,
): Refused => {
  const refused: Refused = new Map()
  for (const forwarding of set) {
    try {
      take(forwarding)
    } catch (error) {
      leave(forwarding)
      refused.set(forwarding.key, { forwarding, reason: `${errorMessage(error)}; mend the Service` })
    }
  }
  return refused
}

const endpointsOf = ({ ports }: Forwarding): number => ports.reduce((sum, { cluster }) => sum + cluster.length, 0)

const acquire = (books: Books, { chains, items }: Rendered, owner?: string): readonly Release[] => [
  ...chains.map((chain) => books.acquireChain(chain, owner)),
  ...items.map((item) => books.acquireItem(item, owner)),
]
