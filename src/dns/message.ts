import { type Answer, decode, encode, type Packet } from 'dns-packet'
import type { ZoneRecord } from './zone/records.ts'

/** A query that was understood, or how to refuse the one that was not. */
export type Query =
  | {
      readonly kind: 'query'
      readonly id: number
      readonly recursionDesired: boolean
      /** As it was asked, for the answer's question section. */
      readonly name: string
      readonly type: string
      /** The largest answer over UDP in bytes: 512, or what the query's OPT record offers, at most 1232. */
      readonly payloadSize: number
      readonly edns: boolean
    }
  | { readonly kind: 'malformed'; readonly id: number; readonly rcode: Rcode }
  /** Not a query at all, or too short to answer: no reply, so that two servers never answer each other. */
  | { readonly kind: 'ignore' }

export const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const
export type Rcode = keyof typeof RCODES

export interface Response {
  readonly rcode: Rcode
  readonly authoritative: boolean
  readonly answers: readonly Answer[]
  readonly authorities: readonly Answer[]
  readonly additionals: readonly Answer[]
}

/** DNS flag day 2020: what crosses any path unfragmented. */
const MAX_UDP_PAYLOAD = 1232
const MIN_UDP_PAYLOAD = 512

const FLAG_RESPONSE = 0x8000
const OPCODE_MASK = 0x7800
const FLAG_AUTHORITATIVE = 0x0400
const FLAG_TRUNCATED = 0x0200
const FLAG_RECURSION_DESIRED = 0x0100
const FLAG_RECURSION_AVAILABLE = 0x0080

/** Parses bytes from outside; never throws. */
export const parseQuery = (bytes: Buffer): Query => {
  if (bytes.length < 12) return { kind: 'ignore' }
  const id = bytes.readUInt16BE(0)
  const flags = bytes.readUInt16BE(2)
  if (flags & FLAG_RESPONSE) return { kind: 'ignore' }
  if (flags & OPCODE_MASK) return { kind: 'malformed', id, rcode: 'NOTIMP' }
  if (bytes.readUInt16BE(4) !== 1) return { kind: 'malformed', id, rcode: 'FORMERR' }
  const packet = decodeOrUndefined(bytes)
  const question = packet?.questions?.[0]
  if (!packet || !question) return { kind: 'malformed', id, rcode: 'FORMERR' }
  if (question.class !== undefined && question.class !== 'IN') return { kind: 'malformed', id, rcode: 'REFUSED' }
  const opt = packet.additionals?.find((record) => record.type === 'OPT')
  const offered = opt?.type === 'OPT' ? opt.udpPayloadSize : MIN_UDP_PAYLOAD
  return {
    kind: 'query',
    id,
    recursionDesired: (flags & FLAG_RECURSION_DESIRED) !== 0,
    name: question.name,
    type: question.type,
    payloadSize: Math.min(Math.max(offered, MIN_UDP_PAYLOAD), MAX_UDP_PAYLOAD),
    edns: opt !== undefined,
  }
}

const decodeOrUndefined = (bytes: Buffer): Packet | undefined => {
  try {
    return decode(bytes)
  } catch {
    return undefined
  }
}

/** The wire form of a response; over `limit` bytes it is cut to an empty one with the TC bit, for the client to come back over TCP. */
export const encodeResponse = (query: Query & { kind: 'query' }, response: Response, limit: number): Buffer => {
  const whole = encodeSections(query, response, 0)
  if (whole.length <= limit) return whole
  return encodeSections(query, { ...response, answers: [], authorities: [], additionals: [] }, FLAG_TRUNCATED)
}

const encodeSections = (query: Query & { kind: 'query' }, response: Response, flags: number): Buffer =>
  encode({
    type: 'response',
    id: query.id,
    flags:
      flags |
      FLAG_RECURSION_AVAILABLE |
      (response.authoritative ? FLAG_AUTHORITATIVE : 0) |
      (query.recursionDesired ? FLAG_RECURSION_DESIRED : 0) |
      RCODES[response.rcode],
    // `type` came out of the same codec that encodes it here.
    questions: [{ name: query.name, type: query.type as Answer['type'] & 'A', class: 'IN' }],
    answers: [...response.answers],
    authorities: [...response.authorities],
    additionals: [...response.additionals, ...(query.edns ? [OPT] : [])],
  })

const OPT: Answer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: MAX_UDP_PAYLOAD,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
}

/** A bare refusal for a query that was not understood. */
export const encodeRefusal = (id: number, rcode: Rcode): Buffer => {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | RCODES[rcode], 2)
  return header
}

/** A zone record as an answer with its time to live in seconds. */
export const toAnswer = (record: ZoneRecord, ttl: number): Answer => {
  const { name } = record
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return { name, ttl, class: 'IN', type: record.type, data: record.address }
    case 'CNAME':
    case 'PTR':
      return { name, ttl, class: 'IN', type: record.type, data: record.target }
    case 'SRV':
      return { name, ttl, class: 'IN', type: 'SRV', data: { priority: 0, weight: 100, port: record.port, target: record.target } }
    case 'TXT':
      return { name, ttl, class: 'IN', type: 'TXT', data: record.text }
    default:
      return record satisfies never
  }
}

/** The start-of-authority record of a zone, for negative answers (RFC 2308). */
export const authority = (domain: string, ttl: number): Answer => ({
  name: domain,
  type: 'SOA',
  class: 'IN',
  ttl,
  data: {
    mname: `ns.dns.${domain}`,
    rname: `hostmaster.${domain}`,
    serial: 1,
    refresh: 7200,
    retry: 1800,
    expire: 86_400,
    minimum: ttl,
  },
})
