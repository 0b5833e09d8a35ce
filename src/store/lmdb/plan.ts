import type { ChangeBatch, Condition, Entry, Revision, StoreChange, Transaction, TransactionResult } from '../store.ts'
import { readEntry } from './read.ts'
import { encodeKey, type Tables } from './tables.ts'

/** What a group of transactions comes to: one result for each, and the changes to write, in revision order. */
export interface GroupPlan {
  readonly results: readonly TransactionResult[]
  readonly batches: readonly ChangeBatch[]
  readonly revision: Revision
}

/**
 * Decides a group of transactions one after the other, each seeing the writes of those before it.
 * Only reads the store; nothing else may write between this and the commit of the plan.
 */
export const planGroup = (tables: Tables, transactions: readonly Transaction[], startRevision: Revision): GroupPlan => {
  const written = new Map<string, Entry | undefined>()
  const present = (key: string): Entry | undefined => (written.has(key) ? written.get(key) : readEntry(tables, key))
  const results: TransactionResult[] = []
  const batches: ChangeBatch[] = []
  let revision = startRevision
  for (const transaction of transactions) {
    const failed = failedConditions(transaction.conditions, present)
    if (failed.length > 0) {
      results.push({ committed: false, failed })
      continue
    }
    const changes = changesOf(transaction, revision + 1, present)
    if (changes.length > 0) {
      revision++
      batches.push({ revision, changes })
      for (const change of changes) recordChange(written, change)
    }
    results.push({ committed: true, revision })
  }
  return { results, batches, revision }
}

const failedConditions = (conditions: readonly Condition[], present: (key: string) => Entry | undefined) =>
  conditions.flatMap(({ key, modRevision }) => {
    const entry = present(key)
    return (entry?.modRevision ?? 0) === modRevision ? [] : [{ key, entry }]
  })

const changesOf = (
  transaction: Transaction,
  revision: Revision,
  present: (key: string) => Entry | undefined,
): readonly StoreChange[] =>
  transaction.writes.flatMap((write): readonly StoreChange[] => {
    const { key } = write
    const previous = present(key)
    if (write.type === 'delete') return previous === undefined ? [] : [{ type: 'delete', key, previous, revision }]
    const createRevision = previous?.createRevision ?? revision
    return [{ type: 'put', entry: { key, value: write.value, createRevision, modRevision: revision }, previous }]
  })

const recordChange = (written: Map<string, Entry | undefined>, change: StoreChange): void => {
  if (change.type === 'put') written.set(change.entry.key, change.entry)
  else written.set(change.key, undefined)
}

/** Throws for a transaction that cannot be stored, whatever the state: bad keys, or a key that is written twice. */
export const checkTransaction = (transaction: Transaction): void => {
  for (const { key } of transaction.conditions) encodeKey(key)
  const seen = new Set<string>()
  for (const { key } of transaction.writes) {
    encodeKey(key)
    if (seen.has(key)) throw new RangeError(`store: key ${JSON.stringify(key)} is written twice in one transaction`)
    seen.add(key)
  }
}
