/**
 * The entry of a worker process: a data plane that the supervisor drives over IPC. It ends when the channel closes,
 * so it never outlives its parent, whatever ended that one.
 */
import type { FailedRequest } from '../context.ts'
import { DataPlane } from '../data-plane.ts'
import { Listener } from './listener.ts'
import { type FromWorker, type PortName, type ToWorker, unpackDelta } from './protocol.ts'

const REPORTS_PER_SECOND = 20
const COUNT_EVERY_MS = 250

const send = (message: FromWorker): void => {
  // A parent that is gone is told by `disconnect`.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

let dataPlane: DataPlane | undefined

const start = (message: ToWorker & { readonly type: 'start' }): void => {
  dataPlane = new DataPlane({
    settings: message.settings,
    tickMs: message.tickMs,
    workers: message.workers,
    report: limitedReport(),
    onBadCertificate: (id, text) => send({ type: 'bad-certificate', id, message: text }),
  })
  if (message.ticketKeys !== undefined) dataPlane.setTicketKeys(message.ticketKeys)
  let told = 0
  const tell = (): void => {
    const now = connections()
    if (now !== told) send({ type: 'connections', connections: now })
    told = now
  }
  setInterval(tell, COUNT_EVERY_MS).unref()
  if (message.builtIn !== undefined) dataPlane.setBuiltInCertificate(message.builtIn)
}

/** A flood of failing requests must not become a flood of messages. */
const limitedReport = (): ((failure: FailedRequest) => void) => {
  let second = 0
  let sent = 0
  let suppressed = 0
  return (failure) => {
    const now = Math.floor(performance.now() / 1_000)
    if (now !== second) {
      second = now
      sent = 0
    }
    if (sent >= REPORTS_PER_SECOND) {
      suppressed++
      return
    }
    sent++
    send({ type: 'failed-request', failure, suppressed })
    suppressed = 0
  }
}

const listeners = new Map<PortName, Listener>()

const listen = (message: ToWorker & { readonly type: 'listen' }, handle: unknown): void => {
  const { port, proxyProtocol, turn } = message
  let listener = listeners.get(port)
  if (listener === undefined) {
    const server = port === 'http' ? dataPlane?.httpServer({ proxyProtocol }) : dataPlane?.httpsServer({ proxyProtocol })
    if (server === undefined) return
    server.on('error', (error: NodeJS.ErrnoException) => send({ type: 'listen-failed', port, code: error.code ?? 'UNKNOWN' }))
    server.once('listening', () => send({ type: 'listening', port }))
    listener = new Listener(server, () => send({ type: 'turn-over', port, connections: connections() }))
    listeners.set(port, listener)
  }
  listener.listen(handle, turn)
}

const connections = (): number => dataPlane?.load ?? 0

const stop = async (): Promise<void> => {
  for (const listener of listeners.values()) listener.stop()
  await dataPlane?.stop()
  process.exit(0)
}

process.on('message', (message: ToWorker, handle: unknown) => {
  switch (message.type) {
    case 'start':
      return start(message)
    case 'update':
      dataPlane?.update(unpackDelta(message.delta))
      return send({ type: 'applied', sequence: message.sequence })
    case 'listen':
      return listen(message, handle)
    case 'ticket-keys':
      return dataPlane?.setTicketKeys(message.keys)
    case 'stats':
      if (dataPlane !== undefined) send({ type: 'stats', sequence: message.sequence, stats: dataPlane.snapshot() })
      return
    case 'stop':
      void stop()
      return
    default:
      return message satisfies never
  }
})
process.on('disconnect', () => process.exit(0))
// Signals to the process group are the supervisor's business: it tells the workers to drain.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
send({ type: 'ready' })
