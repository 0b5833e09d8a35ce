export { type Caches, type CachesOptions, createCaches, tombstone } from './caches.ts'
export { decodeEntry, encodeObject, withResourceVersion } from './codec.ts'
export type { CacheEvent, EventRing } from './event-ring.ts'
export type { KindCache } from './kind-cache.ts'
