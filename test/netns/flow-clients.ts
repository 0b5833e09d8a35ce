/** In one network namespace: servers that answer with their own address, UDP clients that keep their source port, TCP connections that stay open. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface End {
  readonly address: string
  readonly port: number
}

export type FlowRequest =
  | { readonly op: 'serve'; readonly at: End }
  /** One datagram from this very port. */
  | { readonly op: 'udp'; readonly from: End; readonly to: End }
  /** One question on a connection that is made by the first one and then kept. */
  | { readonly op: 'tcp'; readonly from: End; readonly to: End }
  /** A UDP socket that is connected, or one that only sends there; nothing is asked. */
  | { readonly op: 'open'; readonly from: End; readonly to: End; readonly connects: boolean }
  /** Whether such a socket still has a destination. */
  | { readonly op: 'is connected'; readonly from: End; readonly to: End }
  | { readonly op: 'close'; readonly from: End; readonly to: End }
  /** Forgets all clients. */
  | { readonly op: 'reset' }

/** Who answered, or what came instead. */
export type Answer = { readonly from: End } | 'refused' | 'silence' | boolean

/** How long silence means that nobody is there; only tests that expect it wait so long. */
const SILENCE_MS = 200

const udpClients = new Map<string, UdpSocket>()
const tcpClients = new Map<string, Socket>()

const nameOf = ({ address, port }: End): string => `${address} ${port}`
const endOf = (name: string): End => ({ address: name.split(' ')[0] ?? '', port: Number(name.split(' ')[1]) })
const udpSocket = (address: string): UdpSocket => createSocket(address.includes(':') ? 'udp6' : 'udp4')

const serve = async (at: End): Promise<void> => {
  const udp = udpSocket(at.address)
  udp.on('message', (_datagram, remote) => udp.send(nameOf(at), remote.port, remote.address))
  udp.bind(at.port, at.address)
  const tcp = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write(nameOf(at)))
  })
  tcp.listen(at.port, at.address)
  await Promise.all([once(udp, 'listening'), once(tcp, 'listening')])
}

const openUdp = async (from: End, to: End, connects: boolean): Promise<UdpSocket> => {
  const socket = udpSocket(from.address)
  socket.on('error', () => {})
  socket.bind(from.port, from.address)
  await once(socket, 'listening')
  if (connects) {
    socket.connect(to.port, to.address)
    await once(socket, 'connect')
  } else socket.send('hello', to.port, to.address)
  udpClients.set(`${nameOf(from)} ${nameOf(to)}`, socket)
  return socket
}

/** The kernel is asked; the program may not have read yet that its socket was ended. */
const isConnected = (from: End, to: End): boolean => {
  try {
    udpClients.get(`${nameOf(from)} ${nameOf(to)}`)?.remoteAddress()
    return true
  } catch {
    return false
  }
}

const closeUdp = async (from: End, to: End): Promise<void> => {
  const key = `${nameOf(from)} ${nameOf(to)}`
  await new Promise<void>((resolve) => udpClients.get(key)?.close(() => resolve()))
  udpClients.delete(key)
}

const askByUdp = async (from: End, to: End): Promise<Answer> => {
  const client = udpClients.get(`${nameOf(from)} ${nameOf(to)}`) ?? (await openUdp(from, to, true))
  return answerOf((done) => {
    const onMessage = (text: Buffer): void => done({ from: endOf(text.toString()) })
    const onError = (): void => done('refused')
    client.once('message', onMessage)
    client.once('error', onError)
    client.send('hello')
    return () => {
      client.off('message', onMessage)
      client.off('error', onError)
    }
  })
}

const askByTcp = async (from: End, to: End): Promise<Answer> => {
  const key = `${nameOf(from)} ${nameOf(to)}`
  const known = tcpClients.get(key)
  const client = known ?? connect({ host: to.address, port: to.port, localAddress: from.address, localPort: from.port })
  tcpClients.set(key, client)
  return answerOf((done) => {
    const onData = (text: Buffer): void => done({ from: endOf(text.toString()) })
    const onError = (): void => done('refused')
    client.once('data', onData)
    client.once('error', onError)
    client.once('close', onError)
    client.write('hello')
    return () => {
      client.off('data', onData)
      client.off('close', onError)
      client.on('error', () => {})
    }
  })
}

const answerOf = (ask: (done: (answer: Answer) => void) => () => void): Promise<Answer> =>
  new Promise((resolve) => {
    const done = (answer: Answer): void => {
      clearTimeout(timer)
      stop()
      resolve(answer)
    }
    const timer = setTimeout(() => done('silence'), SILENCE_MS)
    const stop = ask(done)
  })

const reset = async (): Promise<void> => {
  for (const socket of tcpClients.values()) socket.resetAndDestroy()
  await Promise.all([...udpClients.values()].map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))))
  udpClients.clear()
  tcpClients.clear()
}

/** Does what it is asked; what it makes lives as long as the process. */
export const actOnFlows = async (request: FlowRequest): Promise<unknown> => {
  switch (request.op) {
    case 'serve':
      return serve(request.at)
    case 'udp':
      return askByUdp(request.from, request.to)
    case 'tcp':
      return askByTcp(request.from, request.to)
    case 'open':
      await openUdp(request.from, request.to, request.connects)
      return undefined
    case 'is connected':
      return isConnected(request.from, request.to)
    case 'close':
      return closeUdp(request.from, request.to)
    case 'reset':
      return reset()
    default:
      return request satisfies never
  }
}
