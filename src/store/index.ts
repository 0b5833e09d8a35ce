export { type LmdbStoreOptions, openLmdbStore } from './lmdb/index.ts'
export {
  type ChangeBatch,
  CompactedError,
  type Condition,
  type Entry,
  type RangeQuery,
  type RangeResult,
  type Revision,
  type Store,
  type StoreChange,
  TooSlowError,
  type Transaction,
  type TransactionResult,
  type Write,
  WriteFailedError,
} from './store.ts'
