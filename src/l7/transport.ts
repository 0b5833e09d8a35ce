import net from 'node:net'

/** What a transport tells its owner. */
export interface TransportOwner {
  /** `bytes` up to `length`; the memory is reused after the call returns. */
  onBytes(bytes: Buffer, length: number): void
  /** The peer will send nothing more. */
  onEnd(): void
  /** What was written has gone out after `flush` returned false. */
  onDrain(): void
  onClose(error: Error | undefined): void
}

/**
 * A socket as the engine uses it: reads land in one shared buffer (a fresh one for each read costs more than the
 * parsing), small writes are joined into one latin1 string (the kernel call then needs no allocation).
 */
export class Transport {
  readonly socket: net.Socket
  #text = ''
  #error: Error | undefined
  #corked = false
  ended = false

  constructor(socket: net.Socket, owner: TransportOwner) {
    this.socket = socket
    socket.on('end', () => owner.onEnd())
    socket.on('drain', () => owner.onDrain())
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('close', () => owner.onClose(this.#error))
  }

  /** Adds text to what `flush` sends. */
  append(text: string): void {
    this.#text += text
    if (this.#text.length >= JOINED_LIMIT) this.#write()
  }

  /** Adds bytes to what `flush` sends; they are copied. */
  appendBytes(bytes: Buffer, from: number, to: number): void {
    if (to - from <= SMALL) {
      this.append(bytes.toString('latin1', from, to))
      return
    }
    this.#cork()
    this.#write()
    const copy = Buffer.allocUnsafeSlow(to - from)
    bytes.copy(copy, 0, from, to)
    if (!this.ended) this.socket.write(copy)
  }

  /** Sends what was added; false when the peer is slower than we are: wait for `onDrain`. */
  flush(): boolean {
    if (this.#text !== '') this.#write()
    if (this.#corked) {
      this.#corked = false
      this.socket.uncork()
    }
    return !this.socket.writableNeedDrain
  }

  get hasBacklog(): boolean {
    return this.socket.writableNeedDrain
  }

  /** Something was written that the kernel has not taken yet. */
  get isWriting(): boolean {
    return this.socket.writableLength > 0
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Sends what was added and says that nothing more follows. */
  end(): void {
    if (this.ended) return
    this.flush()
    this.ended = true
    this.socket.end()
  }

  destroy(): void {
    this.#text = ''
    this.ended = true
    this.socket.destroy()
  }

  #write(): void {
    const text = this.#text
    this.#text = ''
    if (text !== '' && !this.ended) this.socket.write(text, 'latin1')
  }

  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.socket.cork()
  }
}

/** Up to 16 KiB Node hands a latin1 string to the kernel from the stack (StreamBase::WriteString). */
const JOINED_LIMIT = 15_000
const SMALL = 8_192

const sharedBuffer = Buffer.allocUnsafeSlow(65_536)

/** An owner that is set after the socket is made. */
class Relay {
  owner: TransportOwner | undefined
}

const onreadInto = (relay: Relay): net.OnReadOpts => ({
  buffer: sharedBuffer,
  callback: (length) => {
    relay.owner?.onBytes(sharedBuffer, length)
    return true
  },
})

/** Connects to `port` of `address`; the owner is told by `onConnect` or `onClose`. */
export const connectTransport = (
  to: { readonly address: string; readonly port: number },
  owner: TransportOwner & { onConnect(): void },
): Transport => {
  const relay = new Relay()
  relay.owner = owner
  const socket = net.connect({
    host: to.address,
    port: to.port,
    allowHalfOpen: true,
    noDelay: true,
    // The types leave out that `onread` belongs to connect's options too.
    ...{ onread: onreadInto(relay) },
  })
  socket.once('connect', () => owner.onConnect())
  return new Transport(socket, owner)
}

/** Node's accepted sockets carry their handle here; there is no public way to read them into a given buffer. */
interface WithHandle {
  _handle: unknown
}

/**
 * Takes over an accepted plain socket (from a server with `pauseOnConnect`), so that reads land in the shared buffer.
 * Falls back to the socket itself when Node keeps its handle elsewhere.
 */
export const acceptTransport = (accepted: net.Socket, makeOwner: (socket: net.Socket) => TransportOwner): Transport => {
  const holder = accepted as unknown as WithHandle
  const handle = holder._handle
  if (handle === null || handle === undefined) return acceptStream(accepted, makeOwner)
  holder._handle = null
  const relay = new Relay()
  // `handle` is how Node's own server makes sockets; it is missing from the types.
  const options: net.SocketConstructorOpts & { handle: unknown; onread: net.OnReadOpts } = {
    handle,
    allowHalfOpen: true,
    onread: onreadInto(relay),
  }
  const socket = new net.Socket(options)
  const owner = makeOwner(socket)
  relay.owner = owner
  return new Transport(socket, owner)
}

/** Uses a socket as it is, for TLS: decrypted bytes come in buffers of their own. */
export const acceptStream = (socket: net.Socket, makeOwner: (socket: net.Socket) => TransportOwner): Transport => {
  const owner = makeOwner(socket)
  socket.on('data', (bytes: Buffer) => owner.onBytes(bytes, bytes.length))
  socket.resume()
  return new Transport(socket, owner)
}
