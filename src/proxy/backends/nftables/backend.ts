import { aborted, UserError } from '../../../base/index.ts'
import type { IPFamily } from '../../../ip/index.ts'
import type { Element, Nft, Table } from '../../../kernel/nft/index.ts'
import type { Forwarding, NodeView } from '../../../model/index.ts'
import type { Backend, Change } from '../../backend.ts'
import { createLiveTable, type LiveTable } from './apply.ts'
import { type Books, createBooks } from './diff.ts'
import { WORDS } from './layout.ts'
import { createNumbers, type Numbers } from './numbers.ts'
import { type Rendered, renderForwarding, renderNode } from './render.ts'

export interface NftablesBackendOptions {
  readonly nft: Nft
  /** Name of both tables; `fairway` unless told. Instances on one machine need their own. */
  readonly tableName?: string
  /** Connections to addresses of these ranges that no Service has are refused. */
  readonly serviceCIDRs: readonly string[]
}

/** Carries Services with nftables: flat maps, two tables, one transaction a change and family. */
export const createNftablesBackend = (options: NftablesBackendOptions): Backend => {
  const { nft, tableName = 'fairway' } = options
  const families: readonly IPFamily[] = ['IPv4', 'IPv6']
  const tables = families.map((family) => createFamilyTable(options, family, { family: WORDS[family].table, name: tableName }))
  return {
    mode: 'nftables',
    supports: new Set(['SCTP', 'IPv6', 'Drop', 'KeepsSource', 'RejectsUndefinedPorts']),
    async start(signal) {
      const obstacle = await nft.probe()
      if (obstacle !== undefined) throw new UserError(obstacle)
      return { stopped: aborted(signal) }
    },
    async sync(change) {
      // Each family is tried, whatever becomes of the other.
      const results = await Promise.allSettled(tables.map((table) => table.sync(change)))
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },
    exceptions: () => [],
    async cleanup() {
      for (const family of families) {
        await nft.commit({ table: { family: WORDS[family].table, name: tableName }, commands: [{ kind: 'delete table' }] })
      }
    },
  }
}

interface FamilyTable {
  sync(change: Change): Promise<void>
}

interface Carried {
  readonly forwarding: Forwarding
  readonly rendered: Rendered
}

interface State {
  readonly family: IPFamily
  readonly books: Books
  readonly numbers: Numbers
  readonly carried: Map<string, Carried>
  readonly live: LiveTable
  nodeElements: readonly Element[]
  node: NodeView | undefined
  /** Whether the books say what the kernel has; not before the first sync, nor after one that failed. */
  isSure: boolean
}

const createFamilyTable = ({ nft, serviceCIDRs }: NftablesBackendOptions, family: IPFamily, table: Table): FamilyTable => {
  const state: State = {
    family,
    books: createBooks(),
    numbers: createNumbers(),
    carried: new Map(),
    live: createLiveTable(nft, table, family),
    nodeElements: [],
    node: undefined,
    isSure: false,
  }
  return {
    async sync(change) {
      if (!state.isSure || change.full) state.books.adopt(await state.live.open())
      const released = record(state, change, serviceCIDRs)
      state.isSure = false
      await state.live.apply(state.books.difference())
      state.books.committed()
      state.isSure = true
      for (const name of released) state.numbers.release(name)
    },
  }
}

/** Brings the books up to date; gives the names that nobody uses any longer. */
const record = (state: State, change: Change, serviceCIDRs: readonly string[]): ReadonlySet<string> => {
  const { family, books, carried } = state
  const released = new Set<string>()
  const drop = (key: string): void => {
    const known = carried.get(key)
    if (known === undefined) return
    for (const element of known.rendered.elements) books.release(element)
    for (const name of known.rendered.names) released.add(name)
    carried.delete(key)
  }
  const set = new Map(change.set.filter((each) => each.family === family).map((each) => [each.key, each]))
  for (const key of change.full ? [...carried.keys()].filter((each) => !set.has(each)) : change.delete) drop(key)
  if (state.node === undefined || JSON.stringify(state.node) !== JSON.stringify(change.node)) {
    for (const [key, { forwarding }] of carried) if (!set.has(key)) set.set(key, forwarding)
    for (const element of state.nodeElements) books.release(element)
    state.node = change.node
    state.nodeElements = renderNode(family, change.node, serviceCIDRs)
    for (const element of state.nodeElements) books.acquire(element)
  }
  const context = {
    node: change.node,
    numbers: state.numbers,
    endpointAt: (key: string) => books.committedValue('endpoints', key),
  }
  // Everything is given up before anything is taken, so that a frontend may pass from one Service to another.
  for (const key of set.keys()) drop(key)
  for (const [key, forwarding] of set) {
    const rendered = renderForwarding(forwarding, context)
    for (const element of rendered.elements) books.acquire(element)
    for (const name of rendered.names) released.delete(name)
    carried.set(key, { forwarding, rendered })
  }
  return released
}
