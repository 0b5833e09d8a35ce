import { HostError } from '../../host/index.ts'
import type { Libc } from '../../host/native/index.ts'
import { type Acknowledgement, NetlinkWriter, netlinkError } from '../netlink/index.ts'
import { type EncodedBatch, encodeBatch } from './batch.ts'
import { createConversation, type Line } from './conversation.ts'
import { shapeOf } from './fields.ts'
import { type Nft, type Refusal, RefusedElements, type Table, tableText } from './objects.ts'
import { kernelLacks, NO_PERMISSION, PROBE } from './probe.ts'
import { generation, readTable } from './read-table.ts'
import { createShapes } from './shapes.ts'
import { type Watch, watchTables } from './watch.ts'

export interface NetlinkNftOptions {
  readonly libc: Libc
  /** Path of another network namespace than this process'. */
  readonly namespace?: string
}

/** {@link Nft} in this process, over netlink: every transaction is one batch. Needs CAP_NET_ADMIN, but not the tool. */
export const netlinkNft = ({ libc, namespace }: NetlinkNftOptions): Nft => {
  const conversation = createConversation(libc, namespace)
  const shapes = createShapes()
  const writer = new NetlinkWriter(256 * 1024)
  const watches = new Set<Watch>()
  let ownChanges = 0
  return {
    async probe() {
      const check = conversation.alone(async (line) => {
        await shapes.prepare(line, PROBE)
        const target = { table: PROBE.table, shapeOf: (set: string) => shapes.of(PROBE.table, set), isCheck: true }
        const batch = encodeBatch(writer, PROBE.commands, { ...target, sequence: line.sequences(SEQUENCES) })
        return failureOf(PROBE.table, batch, await line.batch(batch.bytes))
      })
      const failure = await check.catch((error: unknown) => {
        if (error instanceof HostError) return error
        throw error
      })
      return failure === undefined ? undefined : obstacleOf(failure)
    },
    async commit(transaction) {
      const { table, commands } = transaction
      if (commands.length === 0) return
      const failure = await conversation.alone(async (line) => {
        await shapes.prepare(line, transaction)
        const target = { table, shapeOf: (set: string) => shapes.of(table, set), sequence: line.sequences(SEQUENCES) }
        const batch = encodeBatch(writer, commands, target)
        const objections = await (batch.bytes.length < LARGE ? line.batch(batch.bytes) : unwatched(line, watches, batch.bytes))
        if (objections.length === 0) ownChanges++
        return failureOf(table, batch, objections)
      })
      if (failure !== undefined) throw failure
    },
    // The kernel counts every change that was made.
    othersChanges: () => conversation.alone(async (line) => ((await generation(line)) - ownChanges) >>> 0),
    readTable: (table, signal) =>
      conversation.alone(async (line) => {
        const contents = await readTable(line, table)
        shapes.forget(table)
        for (const set of contents?.sets ?? []) shapes.learn(table, set.name, shapeOf(set))
        return contents
      }, signal),
    watch(tables, changed, signal) {
      const watch = watchTables({ libc, namespace, tables, isOwn: (portId) => conversation.portIds.has(portId) }, changed, signal)
      watches.add(watch)
      signal.addEventListener('abort', () => watches.delete(watch), { once: true })
      return true
    },
    close: () => conversation.close(),
  }
}

const obstacleOf = ({ code, command, message }: HostError): string => {
  if (code === 'EPERM' || code === 'EACCES') return NO_PERMISSION
  return command[0] === 'setns' ? `nft: ${message}` : kernelLacks(message)
}

/** More messages than a batch has. */
const SEQUENCES = 100_000
/** A batch of so many bytes, a thousand elements or so, is not watched. */
const LARGE = 64 * 1024

/** Sends a batch while the watches look away; that nobody else changed anything meanwhile is told by the number of changes. */
const unwatched = async (line: Line, watches: ReadonlySet<Watch>, bytes: Buffer): Promise<readonly Acknowledgement[]> => {
  if (watches.size === 0) return line.batch(bytes)
  const before = await generation(line)
  for (const watch of watches) watch.lookAway()
  const objections = await line.batch(bytes)
  for (const watch of watches) watch.look()
  const changes = (await generation(line)) - before
  if (changes !== (objections.length === 0 ? 1 : 0)) for (const watch of watches) watch.suspect()
  return objections
}

/** What became of a batch that was objected to. */
const failureOf = (table: Table, batch: EncodedBatch, objections: readonly Acknowledgement[]) => {
  const refusals: Refusal[] = []
  let other: { readonly subject: string; readonly answer: Acknowledgement } | undefined
  for (const answer of objections) {
    const subject =
      answer.offset === undefined ? batch.subjectAt(answer.sequence, 0) : batch.subjectAt(answer.sequence, answer.offset)
    if (typeof subject === 'string') other ??= { subject, answer }
    else {
      const { code, message } = netlinkError('nft', answer)
      refusals.push({ element: subject, code, reason: message.slice('nft: '.length) })
    }
  }
  // Elements are only to blame where all else is right.
  if (other !== undefined) return netlinkError(`nft: ${other.subject} in ${tableText(table)}`, other.answer)
  return refusals.length === 0 ? undefined : new RefusedElements(table, refusals)
}
