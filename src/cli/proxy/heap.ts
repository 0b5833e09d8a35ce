import { setFlagsFromString } from 'node:v8'

/**
 * A proxy is one of many processes on its node, and hardly allocates once it has loaded: V8's defaults would leave it with twice what it needs for as long
 * as it lives. While it loads the heap may grow by this much beyond what lives (a fifth more CPU, a third less memory at the peak);
 * afterwards garbage is collected when nothing happens. Both flags are read at each collection, so they hold from now on (`bench/proxy-memory`).
 */
export const growSlowly = (): void => setFlagsFromString('--heap-growing-percent=40')
export const staySmall = (): void => setFlagsFromString('--optimize-for-size')
