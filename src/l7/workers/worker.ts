/**
 * The entry of a worker process: a data plane that the supervisor drives over IPC. It ends when the channel closes,
 * so it never outlives its parent, whatever ended that one.
 */
import type net from 'node:net'
import type { FailedRequest } from '../context.ts'
import { DataPlane } from '../data-plane.ts'
import { type FromWorker, type ToWorker, unpackDelta } from './protocol.ts'

const REPORTS_PER_SECOND = 20

const send = (message: FromWorker): void => {
  // A parent that is gone is told by `disconnect`.
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

let dataPlane: DataPlane | undefined

const start = (message: ToWorker & { readonly type: 'start' }): void => {
  dataPlane = new DataPlane({
    settings: message.settings,
    tickMs: message.tickMs,
    report: limitedReport(),
    onBadCertificate: (id, text) => send({ type: 'bad-certificate', id, message: text }),
  })
  if (message.ticketKeys !== undefined) dataPlane.setTicketKeys(message.ticketKeys)
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

const listen = ({ port, proxyProtocol }: ToWorker & { readonly type: 'listen' }, handle: unknown): void => {
  const server = port === 'http' ? dataPlane?.httpServer({ proxyProtocol }) : dataPlane?.httpsServer({ proxyProtocol })
  if (server === undefined) return
  server.on('error', (error: NodeJS.ErrnoException) => send({ type: 'listen-failed', port, code: error.code ?? 'UNKNOWN' }))
  server.on('listening', () => send({ type: 'listening', port }))
  // The handle came with the message; `listen` takes a bound one.
  server.listen(handle as net.Server, 511)
}

const stop = async (): Promise<void> => {
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
