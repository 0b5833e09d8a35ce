import net from 'node:net'
import { DataPlane } from '../data-plane.ts'
import { defaultSettings, type EngineSettings } from '../settings.ts'
import type { Backend, Certificate, HostRoutes, TableDelta, Target } from '../table/index.ts'

/** A pod as raw bytes: the test reads requests and writes answers on its connections. */
export interface RawPod {
  readonly port: number
  /** Everything received so far, one text for each connection. */
  readonly received: string[]
  readonly sockets: net.Socket[]
  /** Resolves when `count` connections were accepted. */
  accepted(count: number): Promise<void>
  close(): void
}

/** `onData` is called with each connection's text so far. */
export const rawPod = async (onData: (socket: net.Socket, text: string, piece: Buffer) => void): Promise<RawPod> => {
  const received: string[] = []
  const sockets: net.Socket[] = []
  const waiting: { count: number; resolve: () => void }[] = []
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const at = sockets.push(socket) - 1
    received[at] = ''
    socket.on('error', () => {})
    socket.on('data', (piece) => {
      received[at] += piece.toString('latin1')
      onData(socket, received[at] ?? '', piece)
    })
    for (const { count, resolve } of waiting) if (sockets.length >= count) resolve()
  })
  await listen(server)
  return {
    port: portOf(server),
    received,
    sockets,
    accepted: (count) =>
      new Promise((resolve) => {
        if (sockets.length >= count) resolve()
        else waiting.push({ count, resolve })
      }),
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** A pod that answers each complete head at once with `answer`. */
export const answeringPod = (answer: string | ((head: string) => string)): Promise<RawPod> => {
  const seen = new WeakMap<net.Socket, number>()
  return rawPod((socket, text) => {
    let from = seen.get(socket) ?? 0
    for (let end = text.indexOf('\r\n\r\n', from); end !== -1; end = text.indexOf('\r\n\r\n', from)) {
      const head = text.slice(from, end)
      from = end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      seen.set(socket, from)
      socket.write(typeof answer === 'string' ? answer : answer(head), 'latin1')
    }
  })
}

/** A client as raw bytes. */
export interface RawClient {
  readonly socket: net.Socket
  readonly text: () => string
  send(text: string): void
  /** Resolves with everything received when it matches. */
  until(pattern: Pick<RegExp, 'test'>): Promise<string>
  /** Resolves with everything received when the connection is closed. */
  closed(): Promise<string>
}

export const rawClient = async (port: number): Promise<RawClient> => {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: false, noDelay: true })
  let text = ''
  let isClosed = false
  let look = (): void => {}
  socket.on('data', (piece) => {
    text += piece.toString('latin1')
    look()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
    look()
  })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  const wait = (done: () => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      look = () => {
        if (done()) resolve(text)
        else if (isClosed) reject(new Error(`closed before that; received: ${text}`))
      }
      look()
    })
  return {
    socket,
    text: () => text,
    send: (bytes) => void socket.write(bytes, 'latin1'),
    until: (pattern) => wait(() => pattern.test(text)),
    closed: () => wait(() => isClosed),
  }
}

export const to = (backend: string): Target => ({ backend, labels: {} })

export const everything = (backend: string): HostRoutes => ({ paths: [{ match: 'prefix', path: '/', target: to(backend) }] })

export const pods = (...ports: readonly number[]): Backend => ({
  endpoints: ports.map((port) => ({ address: '127.0.0.1', port })),
})

/** An engine of this process that sends every host to the pods at `ports`. */
export const startEngine = async (
  ports: readonly number[],
  settings: Partial<EngineSettings> = {},
  more: { readonly delta?: TableDelta; readonly tls?: Certificate } = {},
): Promise<{ readonly port: number; readonly tlsPort: number; readonly dataPlane: DataPlane; stop(): Promise<void> }> => {
  const dataPlane = new DataPlane({ settings: { ...defaultSettings, drainTimeoutMs: 200, ...settings }, tickMs: 10 })
  dataPlane.update({ backends: new Map([['pods', pods(...ports)]]), hosts: new Map([['', everything('pods')]]) })
  if (more.delta) dataPlane.update(more.delta)
  const server = dataPlane.httpServer()
  await listen(server)
  let tlsPort = 0
  if (more.tls) {
    dataPlane.setBuiltInCertificate(more.tls)
    const tlsServer = dataPlane.httpsServer()
    await listen(tlsServer)
    tlsPort = portOf(tlsServer)
  }
  return { port: portOf(server), tlsPort, dataPlane, stop: () => dataPlane.stop() }
}

const listen = (server: net.Server): Promise<void> => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))

const portOf = (server: net.Server): number => {
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server does not listen')
  return address.port
}
