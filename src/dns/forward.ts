import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { type Answer, decode, encode, type Packet } from 'dns-packet'
import type { Clock, Logger } from '../base/index.ts'
import { createAnswerCache } from './cache.ts'
import { RCODES, type Rcode, type Response } from './message.ts'
import type { Question } from './zone/answer.ts'

/** Asks the servers beyond this cluster. */
export interface Forwarder {
  /** Never rejects: SERVFAIL when no upstream answers in time, REFUSED when there is none. */
  resolve(question: Question): Promise<Response>
}

export interface Upstream {
  readonly address: string
  readonly port: number
}

export interface ForwarderOptions {
  /** Asked in this order. */
  readonly upstreams: readonly Upstream[]
  readonly clock: Clock
  readonly log: Logger
  /** How long one upstream may take, in milliseconds. */
  readonly timeoutMs?: number
}

/** Questions on their way at the same time; more are refused rather than queued without bound. */
const MAX_IN_FLIGHT = 1000
const DEFAULT_TIMEOUT_MS = 2000
const FLAG_TRUNCATED = 0x0200
const FLAG_RECURSION_DESIRED = 0x0100
const RCODE_MASK = 0x000f

/** Forwards over UDP, again over TCP when cut, with a cache; equal questions in flight are asked once. */
export const createForwarder = (options: ForwarderOptions): Forwarder => {
  const cache = createAnswerCache(options.clock)
  const inFlight = new Map<string, Promise<Response>>()
  return {
    resolve: (question) => {
      if (options.upstreams.length === 0) return Promise.resolve(empty('REFUSED'))
      const cached = cache.get(question)
      if (cached) return Promise.resolve(cached)
      const key = `${question.type} ${question.name}`
      const running = inFlight.get(key)
      if (running) return running
      if (inFlight.size >= MAX_IN_FLIGHT) return Promise.resolve(empty('SERVFAIL'))
      const asked = askAll(question, options)
        .then((response) => {
          cache.put(question, response)
          return response
        })
        .finally(() => inFlight.delete(key))
      inFlight.set(key, asked)
      return asked
    },
  }
}

const askAll = async (question: Question, options: ForwarderOptions): Promise<Response> => {
  for (const upstream of options.upstreams) {
    try {
      const response = await ask(question, upstream, options)
      if (response.rcode !== 'SERVFAIL') return response
    } catch (error) {
      options.log.debug('upstream did not answer', { upstream: upstream.address, error: String(error) })
    }
  }
  return empty('SERVFAIL')
}

const ask = async (question: Question, upstream: Upstream, options: ForwarderOptions): Promise<Response> => {
  const id = randomInt(0x10000)
  const query = encode({
    type: 'query',
    id,
    flags: FLAG_RECURSION_DESIRED,
    // The type came out of the codec that encodes it here.
    questions: [{ type: question.type as Answer['type'] & 'A', name: question.name }],
  })
  const call: Call = { query, upstream, clock: options.clock, timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS }
  const accepts = (packet: Packet): boolean => matches(packet, id, question)
  const packet = await askOverUdp(call, accepts)
  const whole = packet.flags !== undefined && packet.flags & FLAG_TRUNCATED ? await askOverTcp(call, accepts) : packet
  return toResponse(whole)
}

interface Call {
  readonly query: Buffer
  readonly upstream: Upstream
  readonly clock: Clock
  readonly timeoutMs: number
}

/** Only the answer to our own question counts: others may send to our port (RFC 5452). */
const matches = (packet: Packet, id: number, question: Question): boolean => {
  const [asked] = packet.questions ?? []
  return (
    packet.type === 'response' && packet.id === id && asked?.name.toLowerCase() === question.name && asked.type === question.type
  )
}

const askOverUdp = ({ query, upstream, clock, timeoutMs }: Call, accepts: (packet: Packet) => boolean): Promise<Packet> =>
  new Promise((resolve, reject) => {
    const socket = createSocket(upstream.address.includes(':') ? 'udp6' : 'udp4')
    const finish = (settle: () => void): void => {
      timer.cancel()
      socket.removeAllListeners()
      socket.on('error', () => {})
      socket.close()
      settle()
    }
    const timer = clock.setTimer(() => finish(() => reject(new Error('timed out'))), timeoutMs)
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('message', (bytes) => {
      const packet = decodeOrUndefined(bytes)
      if (packet && accepts(packet)) finish(() => resolve(packet))
    })
    socket.connect(upstream.port, upstream.address, () => socket.send(query))
  })

const askOverTcp = ({ query, upstream, clock, timeoutMs }: Call, accepts: (packet: Packet) => boolean): Promise<Packet> =>
  new Promise((resolve, reject) => {
    const socket = connect(upstream.port, upstream.address)
    const fail = (error: Error): void => {
      timer.cancel()
      socket.destroy()
      reject(error)
    }
    const timer = clock.setTimer(() => fail(new Error('timed out')), timeoutMs)
    let received = Buffer.alloc(0)
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('closed before the answer')))
    socket.on('connect', () => socket.write(Buffer.concat([lengthPrefix(query), query])))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const packet = decodeOrUndefined(received.subarray(2, 2 + received.readUInt16BE(0)))
      if (!packet || !accepts(packet)) return fail(new Error('not the answer to this question'))
      timer.cancel()
      socket.removeAllListeners('close')
      socket.destroy()
      resolve(packet)
    })
  })

const lengthPrefix = (message: Buffer): Buffer => {
  const prefix = Buffer.alloc(2)
  prefix.writeUInt16BE(message.length)
  return prefix
}

const decodeOrUndefined = (bytes: Buffer): Packet | undefined => {
  try {
    return decode(bytes)
  } catch {
    return undefined
  }
}

const toResponse = (packet: Packet): Response => {
  const code = (packet.flags ?? 0) & RCODE_MASK
  const rcode = (Object.keys(RCODES) as Rcode[]).find((name) => RCODES[name] === code) ?? 'SERVFAIL'
  const isPlain = (record: Answer): boolean => record.type !== 'OPT'
  return {
    rcode,
    authoritative: false,
    answers: packet.answers ?? [],
    authorities: (packet.authorities ?? []).filter(isPlain),
    additionals: (packet.additionals ?? []).filter(isPlain),
  }
}

const empty = (rcode: Rcode): Response => ({ rcode, authoritative: false, answers: [], authorities: [], additionals: [] })
