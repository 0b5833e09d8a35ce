export type { Client, Target } from './target.ts'
export {
  createTcpForwarder,
  type TcpForwarder,
  type TcpForwarderOptions,
  type TcpListen,
  type TcpListener,
  type TcpStatistics,
} from './tcp.ts'
export {
  createUdpForwarder,
  type UdpForwarder,
  type UdpForwarderOptions,
  type UdpListen,
  type UdpListener,
  type UdpStatistics,
} from './udp.ts'
