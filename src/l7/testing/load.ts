import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'

/** What clients saw that ask again and again. */
export interface Load {
  readonly answers: number
  /** Connections that ended while a request had no answer, or could not be made. */
  readonly broken: number
  /** Resolves when so many more answers came. */
  more(answers: number): Promise<void>
  stop(): Promise<void>
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a.io\r\n\r\n'

/** `clients` connections that send one request after another; closed ones are made anew. `closes`: a connection for each request. */
export const startLoad = (options: {
  readonly port: number
  readonly clients: number
  readonly isTls?: boolean
  readonly closes?: boolean
}): Load => {
  const { port, closes = false } = options
  const state = { answers: 0, broken: 0, isStopped: false }
  const waiting: { at: number; resolve(): void }[] = []
  const connect = (): net.Socket =>
    options.isTls
      ? tls.connect({ port, host: '127.0.0.1', servername: 'a.io', rejectUnauthorized: false })
      : net.connect(port, '127.0.0.1')
  const answered = (): void => {
    state.answers++
    for (const { at, resolve } of waiting) if (state.answers >= at) resolve()
  }
  const client = async (): Promise<void> => {
    while (!state.isStopped) if (!(await converse(connect(), { closes, state, answered }))) state.broken++
  }
  const done = Promise.all(Array.from({ length: options.clients }, client))
  return {
    get answers() {
      return state.answers
    },
    get broken() {
      return state.broken
    },
    more: (answers) => new Promise((resolve) => waiting.push({ at: state.answers + answers, resolve })),
    stop: async () => {
      state.isStopped = true
      await done
    },
  }
}

/** Requests on one connection until it closes; false when it closed on a request. */
const converse = (
  socket: net.Socket,
  load: { readonly closes: boolean; readonly state: { readonly isStopped: boolean }; answered(): void },
): Promise<boolean> =>
  new Promise((resolve) => {
    let text = ''
    let isAsking = true
    socket.write(REQUEST)
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
      if (!text.endsWith('\r\n\r\nok')) return
      load.answered()
      isAsking = false
      const isLast = load.closes || load.state.isStopped || /^connection: close/im.test(text)
      text = ''
      if (isLast) socket.destroy()
      else {
        isAsking = true
        socket.write(REQUEST)
      }
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve(!isAsking))
  })

/** How many established connections to `port` a process holds. */
export const connectionsOf = (pid: number, port: number): number => {
  const inodes = new Set<string>()
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      inodes.add(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? '')
    } catch {
      // Closed since the folder was read.
    }
  }
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const ESTABLISHED = '01'
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state, , , , , , inode]) => local?.endsWith(suffix) && state === ESTABLISHED && inodes.has(inode ?? ''))
    .length
}
