import net from 'node:net'
import { leaseBytes, mayKeep, ReadBuffer, sharedBuffer } from './read-buffers.ts'

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
  #leases: (() => void)[] = []
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

  /** Adds bytes to what `flush` sends. The memory may be reused after the call: what must last is copied or leased. */
  appendBytes(bytes: Buffer, from: number, to: number): void {
    if (to - from <= SMALL) {
      this.append(bytes.toString('latin1', from, to))
      return
    }
    this.#cork()
    this.#write()
    if (this.ended) return
    if (!mayKeep(bytes)) {
      const copy = Buffer.allocUnsafeSlow(to - from)
      bytes.copy(copy, 0, from, to)
      this.socket.write(copy)
      return
    }
    const release = leaseBytes(bytes)
    if (release === undefined) this.socket.write(bytes.subarray(from, to))
    else {
      this.#leases.push(release)
      this.socket.write(bytes.subarray(from, to), release)
    }
  }

  /** Sends what was added; false when the peer is slower than we are: wait for `onDrain`. */
  flush(): boolean {
    if (this.#text !== '') this.#write()
    if (this.#corked) {
      this.#corked = false
      this.socket.uncork()
      // The kernel took everything at once: the bytes need no keeping.
      if (this.#leases.length > 0) {
        if (this.socket.writableLength === 0) for (const release of this.#leases) release()
        this.#leases = []
      }
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

/** An owner that is set after the socket is made, and the memory that it reads into. */
class Relay {
  owner: TransportOwner | undefined
  readonly buffer = new ReadBuffer()
  #next: Buffer | undefined = sharedBuffer

  onRead(bytes: Uint8Array, length: number): true {
    // Both kinds of memory are Buffers.
    this.owner?.onBytes(bytes as Buffer, length)
    this.#next = this.buffer.next(length)
    return true
  }

  /** Node asks before the first and after each read; undefined keeps the present buffer. */
  next(): Buffer | undefined {
    return this.#next
  }
}

const onreadInto = (relay: Relay): net.OnReadOpts => ({
  // The types do not know that a generator may decline.
  buffer: () => relay.next() as Buffer,
  callback: (length, bytes) => relay.onRead(bytes, length),
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
  socket.once('close', () => relay.buffer.release())
  return new Transport(socket, owner)
}

/** The same for a TLS socket that connects: the owner is told when its handshake is done. */
export const connectTlsTransport = (socket: net.Socket, owner: TransportOwner & { onConnect(): void }): Transport => {
  socket.once('secureConnect', () => owner.onConnect())
  socket.on('data', (bytes: Buffer) => owner.onBytes(bytes, bytes.length))
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
  socket.once('close', () => relay.buffer.release())
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
