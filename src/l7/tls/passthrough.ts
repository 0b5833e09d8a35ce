import net from 'node:net'
import type { Endpoint } from '../table/index.ts'

export interface SpliceOptions {
  readonly connectTimeoutMs: number
  /** Without a byte in either direction. */
  readonly idleTimeoutMs: number
}

/**
 * Joins a client's socket, from its first byte on, with an endpoint: bytes pass as they are, each side's end is told to the other, and a failure
 * of one ends both. `onClose` is called once, when both are closed.
 */
export const splice = (client: net.Socket, endpoint: Endpoint, options: SpliceOptions, onClose: () => void): void => {
  const pod = net.connect({ host: endpoint.address, port: endpoint.port, allowHalfOpen: true, noDelay: true })
  let open = 2
  const end = (): void => {
    client.destroy()
    pod.destroy()
  }
  pod.setTimeout(options.connectTimeoutMs, end)
  pod.once('connect', () => {
    pod.setTimeout(0)
    // Every byte that passes is one that the client's socket reads or writes.
    client.setTimeout(options.idleTimeoutMs, end)
    client.pipe(pod)
    pod.pipe(client)
  })
  for (const socket of [client, pod]) {
    socket.on('error', () => {})
    socket.once('close', () => {
      // A socket that was ended from both sides closes after it has sent everything; one that failed takes the other along.
      if (!socket.readableEnded || !socket.writableFinished) end()
      if (--open === 0) onClose()
    })
  }
}
