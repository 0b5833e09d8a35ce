import type net from 'node:net'

export interface ReadAhead<T> {
  readonly timeoutMs: number
  readonly maxBytes: number
  /** What the bytes so far are; undefined when more are needed. `use` first bytes are taken, the others go back. */
  judge(bytes: Buffer): { readonly use: number; readonly value: T } | undefined
  /** Undefined when the connection ended, the time is over or `maxBytes` did not do; the bytes are given back then too. */
  done(value: T | undefined): void
}

/** Reads the first bytes of a connection that somebody else will read: what was not used is as if it had not been read. */
export const readAhead = <T>(socket: net.Socket, options: ReadAhead<T>): void => {
  let bytes: Buffer | undefined
  const finish = (use: number, value: T | undefined): void => {
    clearTimeout(timer)
    socket.off('readable', look)
    socket.off('end', fail)
    socket.off('close', fail)
    if (bytes !== undefined && use < bytes.length && !socket.destroyed) socket.unshift(use === 0 ? bytes : bytes.subarray(use))
    options.done(value)
  }
  const fail = (): void => finish(0, undefined)
  const look = (): void => {
    const piece: Buffer | null = socket.read()
    if (piece === null) return
    bytes = bytes === undefined ? piece : Buffer.concat([bytes, piece])
    const found = options.judge(bytes)
    if (found !== undefined) finish(found.use, found.value)
    else if (bytes.length >= options.maxBytes) fail()
  }
  const timer = setTimeout(fail, options.timeoutMs)
  socket.on('readable', look)
  socket.once('end', fail)
  socket.once('close', fail)
  // What is wrong is told by `close`, also after the socket was handed on.
  socket.on('error', () => {})
}
