import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { errorCode } from '../../base/index.ts'
import type { Packet, Target } from '../../model/index.ts'
import type { FakeOutcome } from './fake-backend.ts'

/** Pods and clients with real sockets on addresses of this network namespace, such as those of 127.0.0.0/8. */
export interface LoopbackWorld {
  /** A server on TCP and UDP that answers with its own address and its client's. */
  addPod(target: Target): Promise<void>
  send(packet: Packet): Promise<FakeOutcome>
  close(): Promise<void>
}

/** How long silence means "dropped"; only tests that expect it wait so long. */
const SILENCE_MS = 200

export const loopbackWorld = (): LoopbackWorld => {
  const servers: (Server | UdpSocket)[] = []
  const sockets = new Set<Socket>()
  return {
    async addPod({ address, port }) {
      const tcp = createServer((socket) => {
        sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => sockets.delete(socket))
        socket.end(`${address}:${port} ${socket.remoteAddress}`)
        socket.resume()
      })
      tcp.listen(port, address)
      await once(tcp, 'listening')
      const udp = createSocket(socketType(address))
      udp.on('message', (_datagram, remote) => udp.send(`${address}:${port} ${remote.address}`, remote.port, remote.address))
      udp.bind(port, address)
      await once(udp, 'listening')
      servers.push(tcp, udp)
    },
    send: (packet) => (packet.protocol === 'UDP' ? sendUdp(packet) : sendTcp(packet)),
    async close() {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
    },
  }
}

const socketType = (address: string): 'udp4' | 'udp6' => (address.includes(':') ? 'udp6' : 'udp4')

const outcomeOf = (answer: string): FakeOutcome => {
  const [endpoint = '', source = ''] = answer.split(' ')
  return { kind: 'reached', endpoint, source }
}

const sendTcp = ({ source, destination }: Packet): Promise<FakeOutcome> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: destination.address, port: destination.port, localAddress: source.address })
    let answer = ''
    socket.setTimeout(SILENCE_MS * 10, () => {
      socket.destroy()
      resolve({ kind: 'dropped' })
    })
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    socket.on('end', () => resolve(outcomeOf(answer)))
    socket.on('error', (error) => {
      const code = errorCode(error)
      if (code === 'ECONNREFUSED' || code === 'ECONNRESET') resolve({ kind: 'refused' })
      else reject(error)
    })
  })

const sendUdp = ({ source, destination }: Packet): Promise<FakeOutcome> =>
  new Promise((resolve, reject) => {
    const socket = createSocket(socketType(source.address))
    const done = (outcome: FakeOutcome): void => {
      clearTimeout(silence)
      socket.close()
      resolve(outcome)
    }
    const silence = setTimeout(() => done({ kind: 'dropped' }), SILENCE_MS)
    socket.on('message', (answer) => done(outcomeOf(answer.toString())))
    socket.on('error', (error) => {
      if (errorCode(error) === 'ECONNREFUSED') done({ kind: 'refused' })
      else reject(error)
    })
    socket.bind(0, source.address, () => socket.connect(destination.port, destination.address, () => socket.send('hello')))
  })
