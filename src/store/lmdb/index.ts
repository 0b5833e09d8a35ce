export { type LmdbStoreOptions, openLmdbStore } from './open.ts'
