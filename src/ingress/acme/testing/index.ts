export { freePort, missingPebble, type Pebble, type PebbleOptions, startPebble } from './pebble.ts'
export { type Replica, type ReplicaOptions, startReplica, type ToldEvent } from './replica.ts'
