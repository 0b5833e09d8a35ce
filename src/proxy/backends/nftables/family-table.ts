import { HostError } from '../../../host/index.ts'
import type { IPFamily } from '../../../ip/index.ts'
import { type Element, type Nft, RefusedElements, type Table, type TableContents, tableText } from '../../../kernel/nft/index.ts'
import type { Forwarding } from '../../../model/index.ts'
import type { Change, Drift } from '../../backend.ts'
import { createTableWriter, refusalText, type TableWriter } from './apply.ts'
import { isAsTold } from './as-told.ts'
import { type Books, createBooks } from './books.ts'
import { compare, elementDrift, Present } from './diff.ts'
import { choiceLayout, choiceOfChain, choiceVerdicts, FIXED_VERDICTS, isOfChoice, VERDICTS } from './layout.ts'
import { firstPlace, placesOf, slotKey } from './render.ts'
import type { SlotsBefore } from './slots.ts'
import { type Structure, structureOf } from './structure.ts'

/** One family's table, and what is known of it. */
export interface FamilyTable {
  readonly family: IPFamily
  readonly table: Table
  readonly books: Books
  sync(change: Change): Promise<void>
  audit(signal?: AbortSignal): Promise<readonly Drift[]>
  /** Somebody else may have changed it. */
  suspect(): void
}

export interface FamilyTableOptions {
  readonly nft: Nft
  readonly family: IPFamily
  readonly table: Table
  readonly serviceCIDRs: readonly string[]
}

interface State extends FamilyTableOptions {
  readonly table: Table
  readonly books: Books
  readonly chains: Set<string>
  /** Whether the books say what the kernel has; not before the first sync, nor after one that failed. */
  isSure: boolean
  /** Changes by others when the kernel was last read, where that can be told. */
  others: number | undefined
}

export const createFamilyTable = (options: FamilyTableOptions): FamilyTable => {
  const books = createBooks(options.family, options.serviceCIDRs)
  const state: State = { ...options, books, chains: new Set(), isSure: false, others: undefined }
  return {
    family: options.family,
    table: options.table,
    books,
    sync: (change) => sync(state, change),
    audit: (signal) => audit(state, signal),
    suspect: () => {
      state.others = undefined
    },
  }
}

const sync = async (state: State, change: Change): Promise<void> => {
  const { books, family } = state
  const set = change.set.filter((forwarding) => forwarding.family === family)
  const isNewNode = books.setNode(change.node)
  if (state.isSure && !change.full && !isNewNode) {
    const gone = change.delete.filter((key) => books.carried.has(key))
    if (set.length === 0 && gone.length === 0) return
    state.isSure = false
    try {
      await update(state, set, gone)
      state.isSure = true
      return
    } catch (error) {
      // Elements are not as the books say: then the kernel is read, and Services that it still refuses are left out.
      if (!(error instanceof RefusedElements)) throw error
    }
  }
  const wanted = change.full ? new Map<string, Forwarding>() : wantedOf(state)
  for (const key of change.delete) wanted.delete(key)
  for (const forwarding of set) wanted.set(forwarding.key, forwarding)
  await reconcile(state, wanted)
}

const audit = async (state: State, signal?: AbortSignal): Promise<readonly Drift[]> => {
  const { books } = state
  signal?.throwIfAborted()
  // What was refused, or is again, is no drift.
  const refused = new Set(books.refused.keys())
  const drift: Drift[] = []
  if (!(await isUntouched(state))) {
    const kernel = await readKernel(state, signal)
    if (await isAsWanted(state, kernel.contents, signal)) state.others = kernel.others
    else await mend(state, wantedOf(state), { ...kernel, drift })
  }
  await removeUnused(state)
  return drift.filter(({ key }) => key === undefined || !(refused.has(key) || books.refused.has(key)))
}

/** Nobody else has changed any rule of this namespace since the table was read, so that nothing can differ; and nothing is to be tried again. */
const isUntouched = async ({ isSure, others, books, nft }: State): Promise<boolean> =>
  isSure && others !== undefined && books.refused.size === 0 && (await nft.othersChanges()) === others

/** Whether all is as the books say; what is compared here is compared again where it is not, so that nothing is half-written when `signal` aborts. */
const isAsWanted = async (state: State, contents: TableContents | undefined, signal?: AbortSignal): Promise<boolean> => {
  const { books, family, table, isSure, chains } = state
  if (!isSure || contents === undefined || books.refused.size > 0) return false
  const structure = structureOf(family, table, contents)
  if (structure.before.length > 0 || structure.after.length > 0 || structure.chains.size !== chains.size) return false
  const breathe = createBreather()
  return isAsTold({ books, fixed: fixedElements(state) }, contents, () => {
    signal?.throwIfAborted()
    return breathe()
  })
}

/** Removes the chains of choices that no frontend is led to any longer. */
const removeUnused = async ({ books, family, table, chains, nft }: State): Promise<void> => {
  const used = new Set([...books.choices.keys()].flatMap((id) => choiceLayout(family, id)).map(({ name }) => name))
  const unused = [...chains].filter((name) => !used.has(name) && isOfChoice(name)).sort(byReference)
  if (unused.length === 0) return
  const ids = unused.flatMap((name) => choiceOfChain(name) ?? [])
  const elements = VERDICTS.flatMap((set) => ids.map((key) => ({ set, key })))
  await nft.commit({
    table,
    commands: [
      ...(elements.length === 0 ? [] : [{ kind: 'delete elements' as const, elements }]),
      ...unused.map((chain) => ({ kind: 'delete chain' as const, chain })),
    ],
  })
  for (const name of unused) chains.delete(name)
}

/** `sticky-…` leads to the other two kinds. */
const byReference = (a: string, b: string): number => Number(b.startsWith('sticky-')) - Number(a.startsWith('sticky-'))

const wantedOf = ({ books }: State): Map<string, Forwarding> =>
  new Map([...books.carried].map(([key, { forwarding }]) => [key, forwarding]))

/** Costs what the change costs: the kernel is not read. */
const update = async (state: State, set: readonly Forwarding[], gone: readonly string[]): Promise<void> => {
  const { books } = state
  const present = new Present()
  // Everything is given up before anything is taken, so that a frontend may pass from one Service to another.
  for (const key of gone) {
    books.lift(key, present)
    books.drop(key)
  }
  for (const { key } of set) books.lift(key, present)
  const work = { writer: createTableWriter(state), present, breathe: createBreather() }
  for (const forwarding of set) await write(state, forwarding, work)
  await work.writer.finish(() => present.takeRest(), [])
  books.releaseNumbers()
}

/** Reads the kernel and makes it what is wanted. Costs what the size costs. */
const reconcile = async (state: State, wanted: ReadonlyMap<string, Forwarding>): Promise<void> => {
  state.isSure = false
  await mend(state, wanted, { ...(await readKernel(state)), drift: undefined })
}

interface Kernel {
  readonly contents: TableContents | undefined
  readonly others: number | undefined
}

const readKernel = async ({ nft, table }: State, signal?: AbortSignal): Promise<Kernel> => {
  const others = await nft.othersChanges()
  const contents = await nft.readTable(table, signal)
  if (contents?.flags?.includes('owner') === true) throw owned(table)
  return { contents, others }
}

/** `drift` takes what differed. */
const mend = async (
  state: State,
  wanted: ReadonlyMap<string, Forwarding>,
  { contents, others, drift }: Kernel & { readonly drift: Drift[] | undefined },
): Promise<void> => {
  const { table, family } = state
  state.isSure = false
  try {
    await makeWanted(state, wanted, { structure: structureOf(family, table, contents), contents, drift })
  } catch (error) {
    // What cannot be mended piece by piece, such as a chain of ours that somebody made anew without its hook and leads to, goes with the whole table.
    if (!(error instanceof HostError) || error.code !== 'EBUSY' || contents === undefined) throw error
    const structure = structureOf(family, table, { ...contents, sets: [] })
    await makeWanted(state, wanted, { structure, contents, drift: undefined })
  }
  state.others = others
  state.isSure = true
}

const owned = (table: Table): HostError => {
  const message = `nft: ${tableText(table)} is held by another process (flags owner), and only that may change it; end it, or choose another table name`
  return new HostError(message, { code: 'EPERM', command: ['nft'] })
}

interface Live {
  readonly structure: Structure
  readonly contents: TableContents | undefined
  readonly drift: Drift[] | undefined
}

const makeWanted = async (state: State, wanted: ReadonlyMap<string, Forwarding>, live: Live): Promise<void> => {
  const { books, chains } = state
  const { structure, contents, drift } = live
  const present = new Present(structure.isNew ? undefined : contents?.elements)
  // Element by element only where there was a table at all.
  const found = drift && !structure.isNew ? (each: Drift) => void drift.push(each) : undefined
  drift?.push(...structure.drift)
  chains.clear()
  for (const chain of structure.chains) chains.add(chain)
  books.restart(wanted)
  const onRefused = (key: string, error: HostError): void =>
    books.refuse(key, { code: error.code, message: refusalText(error) }, present)
  const writer = createTableWriter({ ...state, onRefused, isReplaced: structure.isNew && contents !== undefined })
  const work: Work = { writer, present, breathe: createBreather(), before: slotsPresent(state, present), found }
  writer.first(structure.before)
  await writeFixed(state, work)
  for (const forwarding of wanted.values()) await write(state, forwarding, work)
  if (found) for (const element of present.rest()) found(foreign(state, element))
  await writer.finish(() => present.takeRest(), structure.after)
  books.releaseNumbers()
}

const fixedElements = ({ books, family, chains }: State): readonly Element[] => {
  const choices = [...chains].flatMap((name) => choiceOfChain(name) ?? [])
  return [...books.nodeElements(), ...FIXED_VERDICTS, ...choices.flatMap((id) => choiceVerdicts(family, id))]
}

interface Work {
  readonly writer: TableWriter
  readonly present: Present
  readonly breathe: () => Promise<void> | undefined
  /** Where endpoints were, where the books do not know. */
  readonly before?: SlotsBefore
  readonly found?: ((drift: Drift) => void) | undefined
}

/** What belongs to no Service. */
const writeFixed = async (state: State, { writer, present, found }: Work): Promise<void> => {
  const { table } = state
  const group = compare(
    present,
    { elements: fixedElements(state) },
    found && ((kind, each) => found(elementDrift(table, kind, each))),
  )
  const rest = ['pods', 'service-cidrs'].flatMap((set) => present.takeIntervals(set))
  for (const element of rest) found?.(elementDrift(table, 'foreign', element))
  await writer.add({ ...group, remove: [...group.remove, ...rest] })
}

const write = async ({ books, table }: State, forwarding: Forwarding, work: Work): Promise<void> => {
  const { writer, present, before, found } = work
  await work.breathe()
  const { key } = forwarding
  const tell = found && ((kind: Drift['kind'], element: Element) => found({ ...elementDrift(table, kind, element), key }))
  const { elements, shared } = books.carry(forwarding, present, before)
  if (tell) for (const element of shared) tell('missing', element)
  writer.addShared(shared)
  const group = compare(present, { key, elements }, tell)
  const remove: Element[] = [...group.remove]
  for (const { set, key: place } of elements) {
    if (set === 'services') remove.push(...present.takeIntervals('allowed', place))
  }
  if (tell) for (const element of remove.slice(group.remove.length)) tell('foreign', element)
  await writer.add({ ...group, remove })
}

/** The slots that endpoints have in the kernel. */
const slotsPresent =
  ({ books }: State, present: Present): SlotsBefore =>
  (forwarding, port, set) => {
    const place = firstPlace(placesOf(forwarding, port, books.context()), set)
    return (slot) => (place === undefined ? undefined : present.get('endpoints', slotKey(place.key, set, slot)))
  }

/** With the Service whose frontend it is of, where there is one. */
const foreign = (state: State, element: Element): Drift => {
  const key = ownerOf(state, element)
  return { ...elementDrift(state.table, 'foreign', element), ...(key === undefined ? {} : { key }) }
}

const ownerOf = ({ books }: State, { key }: Element): string | undefined => {
  const [address, protocol, number] = key.split(' . ')
  const place = `${address} . ${protocol} . ${number}`
  for (const [name, { forwarding }] of books.carried) {
    for (const port of forwarding.ports) {
      if (placesOf(forwarding, port, books.context()).some((each) => each.key === place)) return name
    }
  }
  return undefined
}

/** Other work of the process must not wait for longer than this. */
const BREATHE_AFTER_MS = 8

/** Gives others a turn, but not more often than is worth it. */
const createBreather = (): (() => Promise<void> | undefined) => {
  let since = performance.now()
  return () => {
    if (performance.now() - since < BREATHE_AFTER_MS) return undefined
    return new Promise((resolve) =>
      setImmediate(() => {
        since = performance.now()
        resolve()
      }),
    )
  }
}
