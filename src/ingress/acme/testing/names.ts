import { createSocket, type RemoteInfo } from 'node:dgram'
import type { AddressInfo } from 'node:net'

/** A name server for tests: every name has one address of this machine. */
export interface NameServer {
  /** `127.0.0.1:port`. */
  readonly address: string
  /** What every name has. */
  points: string
  /** Called for each question, before it is answered; its promise is waited for. */
  onQuestion: ((name: string) => void | Promise<void>) | undefined
  close(): Promise<void>
}

const TYPE_A = 1
const HEADER = 12

export const serveNames = async (points: string): Promise<NameServer> => {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const { port } = socket.address() as AddressInfo
  const names: NameServer = {
    address: `127.0.0.1:${port}`,
    points,
    onQuestion: undefined,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
  const answer = async (query: Buffer, from: RemoteInfo): Promise<void> => {
    const { name, end } = questionOf(query)
    await names.onQuestion?.(name)
    socket.send(answerTo(query, end, names.points), from.port, from.address)
  }
  socket.on('message', (query, from) => void answer(query, from))
  return names
}

/** The name asked for, and where its type begins. */
const questionOf = (query: Buffer): { readonly name: string; readonly end: number } => {
  const labels: string[] = []
  let at = HEADER
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}

const answerTo = (query: Buffer, end: number, address: string): Buffer => {
  const isA = query.readUInt16BE(end) === TYPE_A
  const header = Buffer.from(query.subarray(0, HEADER))
  header.writeUInt16BE(0x8400 | (header.readUInt16BE(2) & 0x0100), 2)
  header.writeUInt16BE(isA ? 1 : 0, 6)
  header.fill(0, 8, HEADER)
  const question = query.subarray(HEADER, end + 4)
  // The name of the question, A, IN, for no time at all, four bytes.
  const record = Buffer.from([0xc0, HEADER, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)])
  return Buffer.concat([header, question, ...(isA ? [record] : [])])
}
