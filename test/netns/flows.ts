import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Packet, Target } from '../../src/model/index.ts'

/** Long connections and steady load, beside the single packets of the lab. */
export type FlowRequest =
  /** A TCP server that sends back what it gets, for as long as the client likes. */
  | { readonly op: 'echo server'; readonly target: Target }
  /** Opens a connection that stays; answers with its number. */
  | { readonly op: 'open'; readonly packet: Packet }
  /** Sends a text through it and answers with what came back; rejects when the connection is cut or silent for 5 s. */
  | { readonly op: 'exchange'; readonly connection: number; readonly text: string }
  /** Connects again and again, a few at a time, until `stop load`. */
  | { readonly op: 'start load'; readonly packet: Packet }
  | { readonly op: 'stop load' }

export interface LoadReport {
  readonly answered: number
  /** Error codes, one for each connection that failed. */
  readonly failures: readonly string[]
}

export interface Flows {
  act(request: FlowRequest): Promise<unknown>
}

/** How many connections of the load are open at once. */
const LOAD_WIDTH = 4
/** Time for the kernel to send a lost first packet again, twice. */
const LOAD_TIMEOUT_MS = 4_000
const EXCHANGE_TIMEOUT_MS = 5_000

export const createFlows = (): Flows => {
  const servers: Server[] = []
  const connections: Socket[] = []
  let load: { stop(): Promise<LoadReport> } | undefined
  return {
    async act(request) {
      switch (request.op) {
        case 'echo server':
          servers.push(await echoServer(request.target))
          return undefined
        case 'open':
          connections.push(await open(request.packet))
          return connections.length - 1
        case 'exchange':
          return exchange(connections[request.connection], request.text)
        case 'start load':
          load = startLoad(request.packet)
          return undefined
        case 'stop load':
          return load?.stop()
        default:
          return request satisfies never
      }
    },
  }
}

const echoServer = async ({ address, port }: Target): Promise<Server> => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(port, address)
  await once(server, 'listening')
  return server
}

const open = async ({ source, destination }: Packet): Promise<Socket> => {
  const socket = connect({ host: destination.address, port: destination.port, localAddress: source.address, noDelay: true })
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

const exchange = (socket: Socket | undefined, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    if (socket === undefined || socket.destroyed) return reject(new Error('the connection is cut'))
    let got = ''
    const end = (act: () => void): void => {
      clearTimeout(timer)
      socket.off('data', onData)
      socket.off('close', onClose)
      act()
    }
    const onData = (chunk: Buffer): void => {
      got += chunk.toString()
      if (got.length >= text.length) end(() => resolve(got))
    }
    const onClose = (): void => end(() => reject(new Error('the connection was cut')))
    const timer = setTimeout(() => end(() => reject(new Error(`silent for ${EXCHANGE_TIMEOUT_MS} ms`))), EXCHANGE_TIMEOUT_MS)
    socket.on('data', onData)
    socket.on('close', onClose)
    socket.write(text)
  })

const startLoad = (packet: Packet): { stop(): Promise<LoadReport> } => {
  const failures: string[] = []
  let answered = 0
  let isStopped = false
  const worker = async (): Promise<void> => {
    while (!isStopped) {
      const failure = await connectOnce(packet)
      if (failure === undefined) answered++
      else failures.push(failure)
    }
  }
  const workers = Promise.all(Array.from({ length: LOAD_WIDTH }, worker))
  return {
    async stop() {
      isStopped = true
      await workers
      return { answered, failures }
    },
  }
}

/** One connection to a pod that says its name and closes; why it failed, or undefined. */
const connectOnce = ({ source, destination }: Packet): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = connect({ host: destination.address, port: destination.port, localAddress: source.address })
    let got = ''
    socket.setTimeout(LOAD_TIMEOUT_MS, () => {
      resolve(`silence, ${socket.connecting ? 'never connected' : `connected from port ${socket.localPort}`}`)
      socket.destroy()
    })
    socket.on('data', (chunk) => {
      got += chunk.toString()
    })
    socket.on('end', () => {
      socket.destroy()
      resolve(got === '' ? 'empty' : undefined)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      socket.destroy()
      resolve(error.code ?? 'error')
    })
  })
