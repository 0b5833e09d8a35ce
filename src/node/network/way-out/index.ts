export { createWayOut, removeWayOut, type WayOut, type WayOutOptions } from './apply.ts'
