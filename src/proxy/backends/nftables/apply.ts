import { errorMessage } from '../../../base/index.ts'
import { HostError } from '../../../host/index.ts'
import type { IPFamily } from '../../../ip/index.ts'
import { type Command, type Element, type Nft, RefusedElements, type Table } from '../../../kernel/nft/index.ts'
import type { Group } from './diff.ts'
import { type ChainLayout, choiceLayout, choiceOfChain, choiceVerdicts, SERVICES } from './layout.ts'
import { chainCommands } from './structure.ts'

export interface WriterOptions {
  readonly nft: Nft
  readonly family: IPFamily
  readonly table: Table
  /** Chains that are there; kept up to date. */
  readonly chains: Set<string>
  /** The table is replaced: in one transaction, however large, so that there is no moment without Services. */
  readonly isReplaced?: boolean
  /** Called for a Service whose elements the kernel refuses, which is taken out then; without it any refusal fails the whole. */
  readonly onRefused?: (key: string, error: HostError) => void
}

/**
 * Brings groups into the kernel: few in one transaction, many in several, each of whole groups, so that a Service is there with all its endpoints
 * or not yet. The kernel works on one while the next is computed.
 */
export interface TableWriter {
  /** Commands that go before all groups that are not written yet. */
  first(commands: readonly Command[]): void
  /** Elements that several Services share: kept whatever becomes of a Service. */
  addShared(elements: readonly Element[]): void
  add(group: Group): Promise<void>
  /** Removes what is left over and does commands, with or after the last groups. */
  finish(takeRest: () => readonly Element[], commands: readonly Command[]): Promise<void>
}

/** So many elements are encoded in a few milliseconds, and are garbage before they grow old. */
const ELEMENTS_A_TRANSACTION = 5_000

export const createTableWriter = (options: WriterOptions): TableWriter => {
  const most = options.isReplaced === true ? Number.POSITIVE_INFINITY : ELEMENTS_A_TRANSACTION
  let batch = emptyBatch()
  let size = 0
  let inWork: Promise<void> = Promise.resolve()
  const flush = async (): Promise<void> => {
    const full = batch
    batch = emptyBatch()
    size = 0
    await inWork
    inWork = commit(options, full)
    // Whoever waits for it next hears of a failure; it must not be unheard until then.
    inWork.catch(() => {})
  }
  const removeAll = async (rest: readonly Element[]): Promise<void> => {
    for (let from = 0; from < rest.length; from += ELEMENTS_A_TRANSACTION) {
      if (from > 0) await flush()
      batch.leftovers = rest.slice(from, from + ELEMENTS_A_TRANSACTION)
    }
  }
  return {
    first: (commands) => void batch.before.push(...commands),
    addShared(elements) {
      for (const element of elements) batch.shared.push(element)
      size += elements.length
    },
    async add(group) {
      if (group.remove.length === 0 && group.add.length === 0) return
      batch.groups.push(group)
      size += group.remove.length + group.add.length
      if (size >= most) await flush()
    },
    async finish(takeRest, commands) {
      await inWork
      await removeAll(takeRest())
      batch.after.push(...commands)
      await flush()
      await inWork
      // Services that were refused in the last transactions left something too.
      await removeAll(takeRest())
      await flush()
      await inWork
    },
  }
}

interface Batch {
  readonly before: Command[]
  readonly shared: Element[]
  readonly groups: Group[]
  leftovers: readonly Element[]
  readonly after: Command[]
}

const emptyBatch = (): Batch => ({ before: [], shared: [], groups: [], leftovers: [], after: [] })

const commit = async (options: WriterOptions, batch: Batch): Promise<void> => {
  const { nft, table, family, chains } = options
  const { before, shared, groups, leftovers, after } = batch
  const remove = [...leftovers]
  const add = [...shared]
  for (const group of groups) {
    for (const element of group.remove) remove.push(element)
    for (const element of group.add) add.push(element)
  }
  const made = missingChains(family, add, chains)
  for (const { name } of made) {
    const id = choiceOfChain(name)
    if (id !== undefined) add.push(...choiceVerdicts(family, id))
  }
  const commands: readonly Command[] = [
    ...before,
    ...chainCommands(made),
    ...(remove.length === 0 ? [] : [{ kind: 'delete elements' as const, elements: remove }]),
    ...(add.length === 0 ? [] : [{ kind: 'add elements' as const, elements: add }]),
    ...after,
  ]
  if (commands.length === 0) return
  try {
    await nft.commit({ table, commands })
  } catch (error) {
    const rest = options.onRefused && withoutRefused(options.onRefused, batch, error)
    if (rest === undefined) throw error
    for (const each of rest) await commit(options, each)
    return
  }
  for (const { name } of made) chains.add(name)
  for (const command of after) if (command.kind === 'delete chain') chains.delete(command.chain)
}

/** The chains of choices that frontends are led to for the first time. */
const missingChains = (family: IPFamily, add: readonly Element[], chains: ReadonlySet<string>): readonly ChainLayout[] => {
  const choices = new Set<string>()
  for (const { set, value } of add) if (value !== undefined && SERVICES.has(set)) choices.add(value)
  const missing = [...choices].flatMap((id) => choiceLayout(family, id)).filter(({ name }) => !chains.has(name))
  return [...new Map(missing.map((layout) => [layout.name, layout])).values()]
}

/** What is left to do without the Services to blame, or two halves where the error does not say which; undefined where no Service is to blame. */
const withoutRefused = (
  onRefused: NonNullable<WriterOptions['onRefused']>,
  batch: Batch,
  error: unknown,
): readonly Batch[] | undefined => {
  if (!(error instanceof HostError)) return undefined
  const isExact = error instanceof RefusedElements
  if (!isExact && !TOOL_REFUSAL.test(error.stderr) && !REFUSAL_CODES.has(error.code)) return undefined
  const keyed = batch.groups.filter(({ key }) => key !== undefined)
  const refused = isExact ? keyed.filter((group) => owns(group, error)) : keyed.length === 1 ? keyed : []
  if (refused.length === 0) return isExact || keyed.length === 0 ? undefined : halvesOf(batch)
  for (const { key } of refused) if (key !== undefined) onRefused(key, error)
  return [{ ...batch, groups: batch.groups.map((group) => (refused.includes(group) ? removal(group) : group)) }]
}

/** What nft prints when the kernel refuses an element, or it does so itself. */
const TOOL_REFUSAL = /Could not process rule|conflicting intervals|interval overlaps|Could not resolve/

/** What an old kernel says of an element without saying which. */
const REFUSAL_CODES: ReadonlySet<string> = new Set(['EEXIST', 'EINVAL', 'ENFILE', 'ENOENT', 'ENOSPC', 'ERANGE'])

/** By the value too: of two Services that claim a frontend, the second one is refused. */
const owns = ({ add, remove }: Group, { refusals }: RefusedElements): boolean =>
  refusals.some(({ element: { set, key, value } }) =>
    [...add, ...remove].some((each) => each.set === set && each.key === key && each.value === value),
  )

/** A Service that is not carried has nothing in the kernel: what it had must go. Without key: nobody is to blame a second time. */
const removal = ({ elements, remove, add }: Group): Group => {
  const isAdded = new Set(add)
  const kept = elements.filter((element) => !isAdded.has(element)).map(({ set, key }) => ({ set, key }))
  return { elements: [], remove: [...remove, ...kept], add: [] }
}

/** What is shared and what comes first goes with the first half, what comes last with the second. */
const halvesOf = ({ before, shared, groups, leftovers, after }: Batch): readonly Batch[] => {
  const middle = Math.ceil(groups.length / 2)
  return [
    { ...emptyBatch(), before, shared, groups: groups.slice(0, middle) },
    { ...emptyBatch(), groups: groups.slice(middle), leftovers, after },
  ]
}

/** In one line. */
export const refusalText = (error: HostError): string => errorMessage(error).replace(/\s+/g, ' ').slice(0, 300)
