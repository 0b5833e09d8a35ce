import type { Iptables, Place, ReadChain } from '../../../kernel/iptables/index.ts'
import type { Forwarding, NodeView } from '../../../model/index.ts'
import type { Change, Drift } from '../../backend.ts'
import { type Books, createBooks, driftOf, transactionOf } from './diff.ts'
import type { Release, Step } from './diff-steps.ts'
import { CANARY, entries, fixedChains, type LayoutOptions, nodeItems, owns, TABLES } from './layout.ts'
import type { Rendered } from './port-view.ts'
import { renderForwarding } from './render.ts'

/** One family's rules in the kernel. */
export interface FamilyRules {
  sync(change: Change): Promise<void>
  /** Reads the kernel back and puts right what differs from what was told. */
  audit(): Promise<readonly Drift[]>
  /** Whether the canary chains are as they were written; others that flush a table take them along. */
  isFlushed(): Promise<boolean>
  readonly books: Books
  readonly layout: LayoutOptions | undefined
}

/** What does not change while the backend lives. */
export type FamilyOptions = Omit<LayoutOptions, 'node'> & {
  readonly iptables: Iptables
  readonly place: Place
}

/** kube-proxy's: with more endpoints in all, chains have no comments. */
const LARGE_CLUSTER_ENDPOINTS = 1000

interface State {
  readonly options: FamilyOptions
  readonly books: Books
  readonly carried: Map<string, Carried>
  /** Of what depends on the node alone. */
  fixed: readonly Release[]
  layout: LayoutOptions | undefined
  /** Endpoints of all ports of all Services. */
  endpoints: number
  /** Whether the books say what the kernel has; not before the first sync, nor after one that failed. */
  isSure: boolean
}

interface Carried {
  readonly forwarding: Forwarding
  readonly releases: readonly Release[]
}

export const createFamilyRules = (options: FamilyOptions): FamilyRules => {
  const { iptables, place } = options
  const state: State = {
    options,
    books: createBooks(),
    carried: new Map(),
    fixed: [],
    layout: undefined,
    endpoints: 0,
    isSure: false,
  }
  const read = (): Promise<readonly ReadChain[]> => iptables.read(place, owns)
  const write = async (): Promise<readonly Step[]> => {
    const steps = state.books.difference()
    state.isSure = false
    if (steps.length > 0) await iptables.restore(place, transactionOf(steps))
    state.books.committed()
    state.isSure = true
    return steps
  }
  return {
    async sync(change) {
      if (!state.isSure || change.full) state.books.adopt(await read())
      record(state, change)
      await write()
    },
    async audit() {
      if (state.layout === undefined) return []
      state.books.adopt(await read())
      const tool = `${place.family === 'IPv4' ? 'iptables' : 'ip6tables'} (${place.flavour})`
      return (await write()).map((step) => driftOf(step, tool))
    },
    async isFlushed() {
      if (state.layout === undefined) return false
      for (const table of TABLES) if (!(await iptables.hasRules(place, table, CANARY))) return true
      return false
    },
    books: state.books,
    get layout() {
      return state.layout
    },
  }
}

/** Brings the books up to date. Everything is given up before anything is taken, so that a frontend may pass from one Service to another. */
const record = (state: State, change: Change): void => {
  const { options, carried } = state
  const set = new Map(change.set.filter((each) => each.family === options.family).map((each) => [each.key, each]))
  const gone = change.full ? [...carried.keys()].filter((key) => !set.has(key)) : change.delete
  for (const key of gone) drop(state, key)
  if (state.layout === undefined || JSON.stringify(state.layout.node) !== JSON.stringify(change.node)) {
    for (const [key, { forwarding }] of carried) if (!set.has(key)) set.set(key, forwarding)
    layOut(state, change.node)
  }
  for (const key of set.keys()) drop(state, key)
  for (const forwarding of set.values()) state.endpoints += endpointsOf(forwarding)
  const context = { ...options, node: change.node, hasComments: state.endpoints <= LARGE_CLUSTER_ENDPOINTS }
  for (const [key, forwarding] of set) {
    carried.set(key, { forwarding, releases: acquire(state.books, renderForwarding(forwarding, context), key) })
  }
}

const drop = (state: State, key: string): void => {
  const known = state.carried.get(key)
  if (known === undefined) return
  for (const release of known.releases) release()
  state.endpoints -= endpointsOf(known.forwarding)
  state.carried.delete(key)
}

const endpointsOf = ({ ports }: Forwarding): number => ports.reduce((sum, { cluster }) => sum + cluster.length, 0)

const acquire = (books: Books, { chains, items }: Rendered, owner?: string): readonly Release[] => [
  ...chains.map((chain) => books.acquireChain(chain, owner)),
  ...items.map((item) => books.acquireItem(item, owner)),
]

const layOut = (state: State, node: NodeView): void => {
  for (const release of state.fixed) release()
  state.layout = { ...state.options, node }
  const items = [...entries(), ...nodeItems(state.layout)]
  state.fixed = acquire(state.books, { chains: fixedChains(state.layout), items })
}
