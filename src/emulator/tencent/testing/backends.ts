import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import net, { type AddressInfo } from 'node:net'

/** A server that says who it is; `address` so that several may have one port. */
export interface Backend {
  readonly address: string
  readonly port: number
  stop(): Promise<void>
}

/** Sends its name to each client, then what the client sends. */
export const tcpBackend = (name: string, { address = '127.0.0.1', port = 0 } = {}): Promise<Backend> => {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
    socket.write(`${name}\n`)
    socket.pipe(socket)
  })
  return listening(server, address, port, () => {
    for (const socket of sockets) socket.destroy()
  })
}

/** Answers its name and the Host; `/broken` is 500. */
export const httpBackend = (name: string, { address = '127.0.0.1', port = 0 } = {}): Promise<Backend> => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/broken' ? 500 : 200).end(`${name} ${request.headers.host} ${request.url}\n`)
  })
  return listening(server, address, port, () => server.closeAllConnections())
}

export const udpBackend = async (name: string): Promise<Backend> => {
  const socket = createSocket('udp4')
  socket.on('message', (_, { port, address }) => socket.send(name, port, address))
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return {
    address: '127.0.0.1',
    port: socket.address().port,
    stop: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

const listening = (server: net.Server, address: string, port: number, end: () => void): Promise<Backend> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => {
      resolve({
        address,
        port: (server.address() as AddressInfo).port,
        stop: () =>
          new Promise((stopped) => {
            server.close(() => stopped())
            end()
          }),
      })
    })
  })

/** The first line that a TCP server sends; empty when it ends the connection. */
export const firstLine = (address: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    let text = ''
    const socket = net.connect(port, address)
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.includes('\n')) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text.trim()))
  })

/** The answer to a datagram from a fresh port; empty when none comes. */
export const datagramAnswer = (address: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4')
    const end = (text: string): void => {
      clearTimeout(timer)
      socket.close()
      resolve(text)
    }
    const timer = setTimeout(() => end(''), 1_000)
    socket.on('error', () => {})
    socket.on('message', (message) => end(message.toString()))
    socket.connect(port, address, () => socket.send('?'))
  })
