export { freePort, missingPebble, type Pebble, type PebbleOptions, startPebble } from './pebble.ts'
