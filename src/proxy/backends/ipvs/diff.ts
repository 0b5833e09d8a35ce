import { serverText } from '../../../kernel/ipvs/index.ts'
import type { Redirect } from './chains.ts'
import { type Item, idOf, valueOfItem } from './items.ts'

/** The record of what is wanted, by how many, and of what the kernel has. Cost follows what is touched. */
export interface Books {
  /** Adds a holder, the key of a Forwarding; the last one's value counts. */
  acquire(item: Item, key?: string): void
  release(item: Item): void
  /** Replaces what the kernel is known to have. */
  adopt(items: readonly Item[]): void
  /** What must change; nothing is remembered as done before `committed`. */
  difference(): Difference
  /** The last difference is in the kernel, but for what it refused, which is tried again when somebody wants it anew. */
  committed(refused?: ReadonlySet<string>): void
  /** It is wanted and there. */
  isThere(id: string): boolean
  isWanted(id: string): boolean
  /** The redirects that are wanted, in no order. */
  redirects(): readonly Redirect[]
  /** Real servers that carry their last connections, by virtual server. */
  readonly draining: ReadonlyMap<string, ReadonlyMap<string, Draining>>
  /** Its last connection has ended, or its time has: it goes with the next difference. */
  drained(id: string): void
}

type Draining = Extract<Item, { kind: 'real' }>

export interface Step {
  readonly kind: 'add' | 'change' | 'remove' | 'drain'
  readonly item: Item
  /** Of the Forwarding that wants it, where one does. */
  readonly key?: string
}

export type Difference = readonly Step[]

interface Entry {
  readonly id: string
  item: Item
  holders: number
  key: string | undefined
  wanted: string
  /** Undefined when the kernel does not have it. */
  committed: string | undefined
  /** What it will be. */
  planned: string | undefined
}

/** The value of a real server that gets no new connections. */
const DRAINED = '0'

export const createBooks = (): Books => {
  const entries = new Map<string, Entry>()
  const touched = new Set<Entry>()
  const draining = new Map<string, Map<string, Draining>>()
  const finished = new Set<string>()
  const redirects = new Map<string, Entry>()
  const entryOf = (item: Item): Entry => {
    const id = idOf(item)
    const known = entries.get(id)
    if (known !== undefined) return known
    const entry: Entry = { id, item, holders: 0, key: undefined, wanted: '', committed: undefined, planned: undefined }
    entries.set(id, entry)
    if (item.kind === 'redirect') redirects.set(id, entry)
    return entry
  }
  const isWanted = (id: string): boolean => (entries.get(id)?.holders ?? 0) > 0
  return {
    acquire(item, key) {
      const entry = entryOf(item)
      entry.holders++
      entry.item = item
      entry.key = key
      entry.wanted = valueOfItem(item)
      touched.add(entry)
    },
    release(item) {
      const entry = entryOf(item)
      entry.holders--
      touched.add(entry)
    },
    adopt(items) {
      draining.clear()
      finished.clear()
      for (const entry of entries.values()) {
        entry.committed = undefined
        touched.add(entry)
      }
      for (const item of items) {
        const entry = entryOf(item)
        entry.committed = valueOfItem(item)
        touched.add(entry)
      }
    },
    difference() {
      for (const entry of [...touched]) {
        // What a virtual server drained goes with it.
        if (entry.item.kind !== 'server' || entry.holders > 0) continue
        for (const id of draining.get(serverText(entry.item.server))?.keys() ?? []) touch(entries, touched, id)
      }
      return [...touched].flatMap((entry) => stepOf(entry, { isWanted, finished }))
    },
    committed(refused) {
      for (const entry of touched) {
        entry.committed = refused?.has(entry.id) === true ? undefined : entry.planned
        entry.planned = undefined
        remember(entry, draining)
        finished.delete(entry.id)
        if (entry.holders > 0 || entry.committed !== undefined) continue
        entries.delete(entry.id)
        redirects.delete(entry.id)
      }
      touched.clear()
    },
    isThere: (id) => isWanted(id) && entries.get(id)?.committed !== undefined,
    isWanted,
    redirects: () =>
      [...redirects.values()].flatMap(({ holders, item }) => (holders > 0 && item.kind === 'redirect' ? [item.redirect] : [])),
    draining,
    drained(id) {
      finished.add(id)
      touch(entries, touched, id)
    },
  }
}

const touch = (entries: ReadonlyMap<string, Entry>, touched: Set<Entry>, id: string): void => {
  const entry = entries.get(id)
  if (entry !== undefined) touched.add(entry)
}

interface Situation {
  readonly isWanted: (id: string) => boolean
  readonly finished: ReadonlySet<string>
}

const stepOf = (entry: Entry, situation: Situation): readonly Step[] => {
  const { item, holders, key, wanted, committed } = entry
  const step = (kind: Step['kind']): readonly Step[] => [{ kind, item, ...(key === undefined ? {} : { key }) }]
  if (holders > 0) {
    entry.planned = wanted
    if (committed === undefined) return step('add')
    return committed === wanted ? [] : step('change')
  }
  entry.planned = undefined
  if (committed === undefined) return []
  if (item.kind === 'real') {
    // It went with its virtual server.
    if (!situation.isWanted(`server ${serverText(item.server)}`)) return []
    if (canDrain(item) && !situation.finished.has(entry.id)) {
      entry.planned = DRAINED
      return committed === DRAINED ? [] : step('drain')
    }
  }
  return step('remove')
}

/** A datagram has no connection that could end: whoever sends on goes on, to another real server. */
const canDrain = ({ server }: Draining): boolean => server.protocol !== 'udp'

const remember = (entry: Entry, draining: Map<string, Map<string, Draining>>): void => {
  const { id, item, holders, committed } = entry
  if (item.kind !== 'real') return
  const server = serverText(item.server)
  const known = draining.get(server)
  if (holders <= 0 && committed === DRAINED) {
    if (known === undefined) draining.set(server, new Map([[id, item]]))
    else known.set(id, item)
  } else if (known?.delete(id) === true && known.size === 0) draining.delete(server)
}
