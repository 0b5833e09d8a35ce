import { canonicalHost, canonicalPath } from '../table/index.ts'
import { colonAt, Field, fieldKind, isToken, namedByConnection } from './fields.ts'
import { type HeadScan, lineEnds } from './scan.ts'
import { removeNamed, trimmedEnd, trimmedStart } from './text.ts'

/** A request's head, judged. One object serves all requests of a connection, so copy what must last. */
export class RequestHead {
  method = ''
  /** Canonical path and query: what is sent to the pod. */
  target = ''
  path = ''
  /** Canonical: what routes match; empty when an HTTP/1.0 request named none. */
  host = ''
  /** As the client wrote it. */
  authority = ''
  minor = 1
  keepAlive = true
  /** -1: none. */
  contentLength = -1
  chunked = false
  expectsContinue = false
  /** The client asks for a WebSocket. */
  upgrade = false
  acceptsTrailers = false
  /** End-to-end field lines, each with its CRLF. */
  fields = ''
  /** Lines that tell who the client is; only for trusted peers. */
  identity = ''
  forwardedFor = ''
  realIp = ''
  requestId = ''
  closes = false
  asksKeepAlive = false
  asksUpgrade = false
  namesWebSocket = false

  /** No body follows. */
  get isBodiless(): boolean {
    return !this.chunked && this.contentLength <= 0
  }
}

/** Reads the head that `scan` has completed; returns 0 or the status that refuses it. */
export const readRequestHead = (bytes: Buffer, scan: HeadScan, head: RequestHead): number => {
  clearRequestHead(head)
  const text = bytes.toString('latin1', scan.start, scan.position)
  const lineEnd = lineEnds[0] as number
  const startProblem = readStartLine(text.slice(0, lineEnd - scan.start), head)
  const problem = readFields({ bytes, scan, head, text })
  return startProblem || problem || judge(head)
}

export const clearRequestHead = (head: RequestHead): void => {
  head.contentLength = -1
  head.chunked = false
  head.expectsContinue = false
  head.closes = false
  head.asksKeepAlive = false
  head.asksUpgrade = false
  head.namesWebSocket = false
  head.acceptsTrailers = false
  head.fields = ''
  head.identity = ''
  head.forwardedFor = ''
  head.realIp = ''
  head.requestId = ''
  head.authority = ''
  head.host = ''
}

export const LONGEST_METHOD = 32
const VERSION_LENGTH = ' HTTP/1.1'.length

const readStartLine = (line: string, head: RequestHead): number => {
  const space = line.indexOf(' ')
  const targetEnd = line.length - VERSION_LENGTH
  if (space < 1 || space > LONGEST_METHOD || space >= targetEnd) return 400
  const version = line.slice(targetEnd)
  if (version === ' HTTP/1.1') head.minor = 1
  else if (version === ' HTTP/1.0') head.minor = 0
  else return /^ HTTP\/[0-9]\.[0-9]$/.test(version) ? 505 : 400
  const method = line.slice(0, space)
  head.method = method
  if (method !== 'GET' && method !== 'POST' && !isToken(method)) return 400
  // A CONNECT tunnel and a TRACE echo have no place in a reverse proxy.
  if (method === 'CONNECT' || method === 'TRACE') return 405
  return readTarget(line.slice(space + 1, targetEnd), head)
}

/** Visible ASCII without `#`; everything else must be percent-encoded (RFC 3986). */
const TARGET = /^[!"$-~]+$/
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i

/** Sets path, target and, for an absolute one, authority of a head whose method is known; 0 or the status that refuses it. */
export const readTarget = (target: string, head: RequestHead): number => {
  if (!TARGET.test(target)) return 400
  let origin = target
  if (target.charCodeAt(0) !== 0x2f) {
    if (target === '*' && head.method === 'OPTIONS') {
      head.path = '*'
      head.target = '*'
      return 0
    }
    const [, authority, rest] = ABSOLUTE.exec(target) ?? []
    if (authority === undefined || rest === undefined || authority === '') return 400
    head.authority = authority
    origin = rest.charCodeAt(0) === 0x2f ? rest : `/${rest}`
  }
  const question = origin.indexOf('?')
  const path = canonicalPath(question === -1 ? origin : origin.slice(0, question))
  if (path === undefined) return 400
  head.path = path
  head.target = question === -1 ? path : path + origin.slice(question)
  return 0
}

interface Reading {
  readonly bytes: Buffer
  readonly scan: HeadScan
  readonly head: RequestHead
  readonly text: string
}

const readFields = (reading: Reading): number => {
  const { bytes, scan, head, text } = reading
  const base = scan.start
  let hosts = 0
  let lineStart = (lineEnds[0] as number) + 2
  let runStart = lineStart
  let named: readonly string[] = []
  for (let line = 1; line < scan.lines; line++) {
    const lineEnd = lineEnds[line] as number
    const kind = fieldKind(bytes, lineStart, lineEnd)
    if (kind !== Field.keep) {
      if (kind === -1) return 400
      if (runStart < lineStart) head.fields += text.slice(runStart - base, lineStart - base)
      runStart = lineEnd + 2
      const value = text.slice(trimmedStart(bytes, colonAt + 1, lineEnd) - base, trimmedEnd(bytes, colonAt + 1, lineEnd) - base)
      if (kind === Field.host && ++hosts > 1) return 400
      if (kind === Field.connection) {
        const names = namedByConnection(value)
        if (names === undefined) return 400
        if (names.length > 0) named = [...named, ...names]
      }
      const problem = takeField(kind, value, head)
      if (problem !== 0) return problem
      if (kind === Field.identity) head.identity += text.slice(lineStart - base, runStart - base)
    }
    lineStart = lineEnd + 2
  }
  if (runStart < lineStart) head.fields += text.slice(runStart - base, lineStart - base)
  if (named.length > 0) head.fields = removeNamed(head.fields, named)
  return hosts === 0 && head.minor === 1 ? 400 : 0
}

const DIGITS = /^[0-9]{1,15}$/
const REQUEST_ID = /^[A-Za-z0-9._:/+=@-]{1,128}$/

/** Takes in a field that is not simply passed on; 0 or the status that refuses it. */
export const takeField = (kind: number, value: string, head: RequestHead): number => {
  switch (kind) {
    case Field.host:
      return takeHost(value, head)
    case Field.contentLength:
      // A second length is refused even when it is equal: nobody honest sends it.
      if (head.contentLength !== -1 || !DIGITS.test(value)) return 400
      head.contentLength = Number(value)
      return 0
    case Field.transferEncoding:
      if (head.chunked || head.minor === 0) return 400
      head.chunked = value.toLowerCase() === 'chunked'
      return head.chunked ? 0 : 501
    case Field.connection:
      takeConnection(value.toLowerCase(), head)
      return 0
    case Field.expect:
      if (value.toLowerCase() !== '100-continue') return 417
      head.expectsContinue = head.minor === 1
      return 0
    case Field.upgrade:
      head.namesWebSocket = value.toLowerCase() === 'websocket'
      return 0
    case Field.te:
      head.acceptsTrailers = /(?:^|,)\s*trailers\s*(?:,|$)/i.test(value)
      return 0
    case Field.forwardedFor:
      head.forwardedFor = head.forwardedFor === '' ? value : `${head.forwardedFor}, ${value}`
      return 0
    case Field.realIp:
      head.realIp = value
      return 0
    case Field.requestId:
      if (REQUEST_ID.test(value)) head.requestId = value
      return 0
    default:
      return 0
  }
}

const takeHost = (value: string, head: RequestHead): number => {
  // The authority of an absolute target wins, but a bad Host field is refused all the same (RFC 9112 section 3.2.2).
  if (canonicalHost(value) === undefined) return 400
  if (head.authority === '') head.authority = value
  return 0
}

const takeConnection = (value: string, head: RequestHead): void => {
  for (const part of value.split(',')) {
    const option = part.trim()
    if (option === 'close') head.closes = true
    else if (option === 'keep-alive') head.asksKeepAlive = true
    else if (option === 'upgrade') head.asksUpgrade = true
  }
}

const judge = (head: RequestHead): number => {
  if (head.chunked && head.contentLength !== -1) return 400
  if (head.authority !== '') {
    const host = canonicalHost(head.authority)
    if (host === undefined) return 400
    head.host = host
  }
  head.keepAlive = !head.closes && (head.minor === 1 || head.asksKeepAlive)
  head.upgrade = head.namesWebSocket && head.asksUpgrade && head.minor === 1 && head.method === 'GET' && head.isBodiless
  return 0
}
