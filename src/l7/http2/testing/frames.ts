import tls from 'node:tls'

/** Frames of HTTP/2 as bytes (RFC 9113 section 4), for what no honest client sends. */
export const Type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const
export const END_STREAM = 1
export const END_HEADERS = 4
export const ACK = 1

export const frame = (type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A field section without Huffman coding and without the dynamic table (RFC 7541 section 6.2.2). */
export const fieldSection = (fields: readonly (readonly [name: string, value: string])[]): Buffer =>
  Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), literal(name), literal(value)])))

const literal = (text: string): Buffer => {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}

export const REQUEST: readonly (readonly [string, string])[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'a.test'],
  [':path', '/'],
]

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** One entry of a SETTINGS frame. */
export const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), uint32(value)])

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export interface FrameClient {
  readonly socket: tls.TLSSocket
  readonly frames: readonly Frame[]
  send(...frames: readonly Buffer[]): void
  /** The first frame, of those received and to come, that matches; rejects when the connection closes before. */
  until(match: (frame: Frame) => boolean): Promise<Frame>
  closed(): Promise<void>
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** A client that has sent the preface and `settings`; it acknowledges SETTINGS, nothing else. */
export const frameClient = async (port: number, settings: Buffer = Buffer.alloc(0)): Promise<FrameClient> => {
  const socket = tls.connect({ port, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  const frames: Frame[] = []
  let held = Buffer.alloc(0)
  let isClosed = false
  const lookers = new Set<() => void>()
  const look = (): void => {
    for (const each of lookers) each()
  }
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
    look()
  })
  socket.on('data', (bytes: Buffer) => {
    held = Buffer.concat([held, bytes])
    for (let length = held.readUIntBE(0, Math.min(3, held.length)); held.length >= 9 && held.length >= 9 + length; ) {
      const [type = 0, flags = 0] = held.subarray(3, 5)
      frames.push({ type, flags, stream: held.readUInt32BE(5) & 0x7fffffff, payload: held.subarray(9, 9 + length) })
      if (type === Type.settings && (flags & ACK) === 0) socket.write(frame(Type.settings, ACK, 0))
      held = held.subarray(9 + length)
      if (held.length < 9) break
      length = held.readUIntBE(0, 3)
    }
    look()
  })
  socket.write(Buffer.concat([PREFACE, frame(Type.settings, 0, 0, settings)]))
  return {
    socket,
    frames,
    send: (...pieces) => void socket.write(Buffer.concat(pieces)),
    until: (match) =>
      new Promise((resolve, reject) => {
        const each = (): void => {
          const found = frames.find(match)
          if (found !== undefined) resolve(found)
          else if (isClosed) reject(new Error(`closed before that; received types: ${frames.map(({ type }) => type).join()}`))
        }
        lookers.add(each)
        each()
      }),
    closed: () =>
      new Promise((resolve) => {
        const each = (): void => {
          if (isClosed) resolve()
        }
        lookers.add(each)
        each()
      }),
  }
}
