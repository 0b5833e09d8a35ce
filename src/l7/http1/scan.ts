/** Finds the end of a message head, checking what each byte decides: line ends, control characters, sizes. */

export interface HeadLimits {
  /** Longest request line; above it 414. */
  readonly maxStartLineBytes: number
  /** Longest head; above it 431. */
  readonly maxHeadBytes: number
  /** Most fields; above it 431. */
  readonly maxFields: number
}

/** Where the scan of one head stands; offsets count from the buffer's first byte. */
export class HeadScan {
  start = 0
  position = 0
  lines = 0
  lineStart = 0
  skippedEmptyLine = false
  resumed = false

  /** Begin a head at `offset`. */
  reset(offset: number): void {
    this.start = offset
    this.position = offset
    this.lineStart = offset
    this.lines = 0
    this.skippedEmptyLine = false
    this.resumed = false
  }

  /** The bytes moved `distance` towards the front of the buffer. */
  shift(distance: number): void {
    this.start -= distance
    this.position -= distance
    this.lineStart -= distance
    this.resumed = true
  }
}

export const HEAD_INCOMPLETE = 0
export const HEAD_COMPLETE = 1

/**
 * Offsets of each line's CR in the head that was completed last. Shared by all connections: read it before the next scan.
 */
export const lineEnds = new Int32Array(1_024)
const MOST_FIELDS = lineEnds.length - 2

/**
 * Continues `scan` up to `to`. On HEAD_COMPLETE `scan.position` is the first byte after the head and `lineEnds` is set.
 * Any other number than the two constants is the HTTP status that refuses the head. Equal for every split of the bytes.
 */
export const scanHead = (bytes: Uint8Array, to: number, scan: HeadScan, limits: HeadLimits): number => {
  let i = scan.position
  for (;;) {
    while (i < to && CONTROL[bytes[i] as number] === 0) i++
    const crossed = sizeProblem(scan, i, limits)
    if (crossed !== 0) return crossed
    if (i >= to || (bytes[i] === CR && i + 1 >= to)) {
      scan.position = i
      scan.resumed = true
      return HEAD_INCOMPLETE
    }
    if (bytes[i] !== CR || bytes[i + 1] !== LF) return 400
    if (i > scan.lineStart) {
      lineEnds[scan.lines++] = i
    } else if (scan.lines === 0) {
      // One empty line before a request is forgiven (RFC 9112 section 2.2).
      if (scan.skippedEmptyLine) return 400
      scan.skippedEmptyLine = true
      scan.start = i + 2
    } else {
      scan.position = i + 2
      return scan.resumed ? rescan(bytes, scan) : HEAD_COMPLETE
    }
    i += 2
    scan.lineStart = i
  }
}

const sizeProblem = (scan: HeadScan, i: number, limits: HeadLimits): number => {
  if (scan.lines === 0 && i - scan.lineStart > limits.maxStartLineBytes) return 414
  if (i - scan.start > limits.maxHeadBytes) return 431
  return scan.lines > Math.min(limits.maxFields, MOST_FIELDS) + 1 ? 431 : 0
}

/** `lineEnds` was overwritten by other connections between the segments. */
const rescan = (bytes: Uint8Array, scan: HeadScan): number => {
  let lines = 0
  let lineStart = scan.start
  for (let i = lineStart; i < scan.position; i++) {
    if (bytes[i] !== CR) continue
    if (i === lineStart) break
    lineEnds[lines++] = i
    lineStart = i + 2
  }
  return HEAD_COMPLETE
}

const CR = 13
const LF = 10

/** 1 for what ends or may not be in a line; HTAB and bytes above 0x7f (obs-text) are allowed here. */
const CONTROL = new Uint8Array(256)
CONTROL.fill(1, 0, 32)
CONTROL[9] = 0
CONTROL[127] = 1
