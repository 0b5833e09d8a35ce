export { at, type LoneMachine, loneMachine, node, POD_COOKIE, STRANGER_COOKIE, web } from './lone-machine.ts'
export { NODE_COOKIE, type SocketWorld, socketWorld } from './socket-world.ts'
