import { colonAt, Field, fieldKind, namedByConnection } from './fields.ts'
import { type HeadScan, lineEnds } from './scan.ts'
import { removeNamed, trimmedEnd, trimmedStart } from './text.ts'

/** A pod's response head, judged. One object serves all responses of a connection. */
export class ResponseHead {
  status = 0
  reason = ''
  minor = 1
  keepAlive = true
  /** -1: none. */
  contentLength = -1
  chunked = false
  /** The pod switches to WebSocket. */
  upgrade = false
  /** End-to-end field lines, each with its CRLF. */
  fields = ''
}

/** Reads the head that `scan` has completed; false when it is not HTTP that may be passed on. */
export const readResponseHead = (bytes: Buffer, scan: HeadScan, head: ResponseHead): boolean => {
  head.contentLength = -1
  head.chunked = false
  head.upgrade = false
  head.fields = ''
  const text = bytes.toString('latin1', scan.start, scan.position)
  if (!readStatusLine(text.slice(0, (lineEnds[0] as number) - scan.start), head)) return false
  head.keepAlive = head.minor === 1
  return readFields({ bytes, scan, head, text }) && !(head.chunked && (head.contentLength !== -1 || head.minor === 0))
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: ([\t -~\x80-\xff]*))?$/

const readStatusLine = (line: string, head: ResponseHead): boolean => {
  if (line === 'HTTP/1.1 200 OK') {
    head.minor = 1
    head.status = 200
    head.reason = 'OK'
    return true
  }
  const parts = STATUS_LINE.exec(line)
  if (parts === null) return false
  head.minor = parts[1] === '1' ? 1 : 0
  head.status = Number(parts[2])
  head.reason = parts[3] ?? ''
  return true
}

interface Reading {
  readonly bytes: Buffer
  readonly scan: HeadScan
  readonly head: ResponseHead
  readonly text: string
}

const readFields = ({ bytes, scan, head, text }: Reading): boolean => {
  const base = scan.start
  let lineStart = (lineEnds[0] as number) + 2
  let runStart = lineStart
  let named: readonly string[] = []
  for (let line = 1; line < scan.lines; line++) {
    const lineEnd = lineEnds[line] as number
    const kind = fieldKind(bytes, lineStart, lineEnd)
    if (kind === -1) return false
    if (STRIPPED[kind] === 1) {
      if (runStart < lineStart) head.fields += text.slice(runStart - base, lineStart - base)
      runStart = lineEnd + 2
      const value = text.slice(trimmedStart(bytes, colonAt + 1, lineEnd) - base, trimmedEnd(bytes, colonAt + 1, lineEnd) - base)
      if (!takeField(kind, value, head)) return false
      if (kind === Field.connection) named = [...named, ...(namedByConnection(value) ?? [])]
    }
    lineStart = lineEnd + 2
  }
  if (runStart < lineStart) head.fields += text.slice(runStart - base, lineStart - base)
  if (named.length > 0) head.fields = removeNamed(head.fields, named)
  return true
}

/** In a response the fields that speak of the client mean nothing to us and pass. */
const STRIPPED = new Uint8Array(16)
for (const kind of [Field.contentLength, Field.transferEncoding, Field.connection, Field.upgrade, Field.hop, Field.te])
  STRIPPED[kind] = 1

const DIGITS = /^[0-9]{1,15}$/

const takeField = (kind: number, value: string, head: ResponseHead): boolean => {
  switch (kind) {
    case Field.contentLength: {
      if (!DIGITS.test(value)) return false
      const length = Number(value)
      if (head.contentLength !== -1 && head.contentLength !== length) return false
      head.contentLength = length
      return true
    }
    case Field.transferEncoding:
      if (head.chunked) return false
      head.chunked = value.toLowerCase() === 'chunked'
      return head.chunked
    case Field.connection:
      if (/(?:^|,)\s*close\s*(?:,|$)/i.test(value)) head.keepAlive = false
      else if (head.minor === 0 && /(?:^|,)\s*keep-alive\s*(?:,|$)/i.test(value)) head.keepAlive = true
      return true
    case Field.upgrade:
      head.upgrade = value.toLowerCase() === 'websocket'
      return true
    default:
      return true
  }
}
