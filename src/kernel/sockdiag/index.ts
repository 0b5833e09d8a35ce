export { networkNamespaces } from './namespaces.ts'
export { createNetlinkSockDiag } from './netlink.ts'
export {
  createSocketFreer,
  type OpenedSockDiag,
  type OpenSockDiagOptions,
  openSockDiag,
  type SocketFreerOptions,
} from './open.ts'
export { type ConnectedSocket, OWN_NAMESPACE, type SockDiag, type SocketEnd } from './sockets.ts'
export { createSocketTool } from './tool.ts'
