import { createHash, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'

/** One message of a WebSocket connection (RFC 6455 5.2): fragments are not used here. */
export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

export const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** A client's end of a WebSocket connection, spoken by hand over a socket. */
export interface WebSocketClient {
  readonly socket: Socket
  /** The head of the answer. */
  readonly head: string
  send(opcode: number, payload: Buffer | string): void
  /** The next frame; rejects when the connection ends before. */
  receive(): Promise<Frame>
}

/** Shakes hands on a connected socket as RFC 6455 4.1 wants it. Rejects when the server answers anything but a right 101. */
export const openWebSocket = async (socket: Socket, host: string, path = '/'): Promise<WebSocketClient> => {
  const key = randomBytes(16).toString('base64')
  const fields = ['Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Key: ${key}`, 'Sec-WebSocket-Version: 13']
  socket.write([`GET ${path} HTTP/1.1`, `Host: ${host}`, ...fields, '', ''].join('\r\n'))
  let rest: Buffer = Buffer.alloc(0)
  const chunks: AsyncIterator<Buffer> = socket[Symbol.asyncIterator]()
  const more = async (): Promise<void> => {
    const next = await chunks.next()
    if (next.done) throw new Error(`the connection ended after ${JSON.stringify(rest.toString('latin1'))}`)
    rest = Buffer.concat([rest, next.value])
  }
  while (!rest.includes('\r\n\r\n')) await more()
  const cut = rest.indexOf('\r\n\r\n') + 4
  const head = rest.subarray(0, cut).toString('latin1')
  rest = rest.subarray(cut)
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
  if (!head.startsWith('HTTP/1.1 101 ') || !head.toLowerCase().includes(`sec-websocket-accept: ${accept.toLowerCase()}\r\n`)) {
    throw new Error(`no handshake: ${head}`)
  }
  return {
    socket,
    head,
    send: (opcode, payload) => void socket.write(encodeFrame(opcode, Buffer.from(payload))),
    async receive() {
      for (;;) {
        const frame = decodeFrame(rest)
        if (frame) {
          rest = rest.subarray(frame.size)
          return { opcode: frame.opcode, payload: frame.payload }
        }
        await more()
      }
    },
  }
}

/** RFC 6455 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** A client's frames are masked (RFC 6455 5.3). */
const encodeFrame = (opcode: number, payload: Buffer): Buffer => {
  const mask = randomBytes(4)
  const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))
  return Buffer.concat([Buffer.of(0x80 | opcode), encodeLength(payload.length), mask, masked])
}

const encodeLength = (length: number): Buffer => {
  if (length < 126) return Buffer.of(0x80 | length)
  const bytes = Buffer.alloc(length < 65_536 ? 3 : 9)
  bytes[0] = 0x80 | (length < 65_536 ? 126 : 127)
  if (length < 65_536) bytes.writeUInt16BE(length, 1)
  else bytes.writeBigUInt64BE(BigInt(length), 1)
  return bytes
}

/** A server's frame, which is not masked; undefined when it is not all there. */
const decodeFrame = (bytes: Buffer): (Frame & { readonly size: number }) | undefined => {
  const [first, second] = bytes
  if (first === undefined || second === undefined) return undefined
  const lengthBytes = second < 126 ? 0 : second === 126 ? 2 : 8
  const start = 2 + lengthBytes
  if (bytes.length < start) return undefined
  const length = lengthBytes === 0 ? second : Number(bytes.readUIntBE(lengthBytes === 2 ? 2 : 4, lengthBytes === 2 ? 2 : 6))
  if (bytes.length < start + length) return undefined
  return { opcode: first & 0x0f, payload: bytes.subarray(start, start + length), size: start + length }
}

/**
 * The program of a pod that speaks WebSocket at 8080, for `node -e`: text and binary come back as they are, a ping gets its pong, a close is answered and ends
 * the connection. Other requests are answered with the path, so that probes have something to ask.
 */
export const WEBSOCKET_SERVER = `
const { createServer } = require('node:http')
const { createHash } = require('node:crypto')
const reply = (socket, opcode, payload) => {
  const length = payload.length
  const head = length < 126 ? Buffer.of(0x80 | opcode, length) : Buffer.alloc(length < 65536 ? 4 : 10)
  if (length >= 126) {
    head[0] = 0x80 | opcode
    head[1] = length < 65536 ? 126 : 127
    if (length < 65536) head.writeUInt16BE(length, 2)
    else head.writeBigUInt64BE(BigInt(length), 2)
  }
  socket.write(Buffer.concat([head, payload]))
}
const take = (socket, bytes) => {
  if (bytes.length < 2) return bytes
  const short = bytes[1] & 0x7f
  const extra = short < 126 ? 0 : short === 126 ? 2 : 8
  const start = 2 + extra + 4
  if (bytes.length < start) return bytes
  const length = extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (bytes.length < start + length) return bytes
  const mask = bytes.subarray(start - 4, start)
  const payload = Buffer.from(bytes.subarray(start, start + length)).map((byte, index) => byte ^ mask[index % 4])
  const opcode = bytes[0] & 0x0f
  if (opcode === 8) {
    reply(socket, 8, payload)
    socket.end()
  } else reply(socket, opcode === 9 ? 10 : opcode, payload)
  return take(socket, bytes.subarray(start + length))
}
createServer((request, response) => response.end(request.url))
  .on('upgrade', (request, socket, head) => {
    const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '${GUID}').digest('base64')
    socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n')
    socket.write('Sec-WebSocket-Accept: ' + accept + '\\r\\nX-Path: ' + request.url + '\\r\\n\\r\\n')
    let rest = head
    rest = take(socket, rest)
    socket.on('error', () => {}).on('data', (chunk) => {
      rest = take(socket, Buffer.concat([rest, chunk]))
    })
  })
  .listen(8080, process.env.POD_IP)
`
