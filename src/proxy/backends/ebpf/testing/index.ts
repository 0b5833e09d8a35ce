export { NODE_COOKIE, type SocketWorld, socketWorld } from './socket-world.ts'
