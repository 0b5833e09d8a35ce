import { type FileHandle, open } from 'node:fs/promises'
import { errorCode } from '../../base/index.ts'
import type { ContainerLog, Segment } from './container-log.ts'
import { type LogRecord, parseRecord } from './record.ts'

/** What `kubectl logs` may ask for. */
export interface LogOptions {
  /** Go on as lines come, until the container's run ends. */
  readonly follow?: boolean
  readonly tailLines?: number
  /** Each line begins with its time. */
  readonly timestamps?: boolean
  /** Only lines written at or after this time, in milliseconds since the epoch. */
  readonly sinceMs?: number
  readonly limitBytes?: number
  readonly signal?: AbortSignal
}

const CHUNK_BYTES = 64 * 1024
const NEWLINE = 0x0a

/** The lines of a log as `kubectl logs` prints them. Ends early, without an error, when `signal` aborts. */
export async function* readLog(log: ContainerLog, options: LogOptions = {}): AsyncGenerator<Uint8Array> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY
  const filter = new RecordFilter(options)
  const start = options.tailLines === undefined ? 0 : await tailPosition(log, options.tailLines)
  for await (const lines of batches(log, start, options)) {
    const output = Buffer.concat(lines.flatMap((line) => filter.render(parseRecord(line))))
    if (output.length === 0) continue
    yield output.length > left ? output.subarray(0, left) : output
    left -= output.length
    if (left <= 0) return
  }
}

class RecordFilter {
  readonly #options: LogOptions
  /** The record before was a part of the same line. */
  #inLine = false

  constructor(options: LogOptions) {
    this.#options = options
  }

  render(record: LogRecord | undefined): readonly Buffer[] {
    if (record === undefined) return []
    const { sinceMs, timestamps } = this.#options
    if (sinceMs !== undefined && Date.parse(record.time) < sinceMs) return []
    const head = timestamps && !this.#inLine ? [Buffer.from(`${record.time} `)] : []
    this.#inLine = record.partial
    return [...head, record.text, ...(record.partial ? [] : [Buffer.of(NEWLINE)])]
  }
}

/** The raw lines of a log from a position on, some at a time. */
async function* batches(log: ContainerLog, from: number, options: LogOptions): AsyncGenerator<readonly Buffer[]> {
  let position = from
  let rest: Buffer = Buffer.alloc(0)
  while (!options.signal?.aborted) {
    const closed = log.closed
    const chunk = await readAt(log, position)
    if (chunk.data.length > 0) {
      position = chunk.position + chunk.data.length
      const data = Buffer.concat([rest, chunk.data])
      const end = data.lastIndexOf(NEWLINE) + 1
      rest = data.subarray(end)
      yield splitLines(data.subarray(0, end))
      continue
    }
    if (closed || !options.follow) return
    await changed(log, position, options.signal)
  }
}

const splitLines = (data: Buffer): readonly Buffer[] => {
  const lines: Buffer[] = []
  for (let start = 0; start < data.length; ) {
    const end = data.indexOf(NEWLINE, start)
    lines.push(data.subarray(start, end))
    start = end + 1
  }
  return lines
}

interface Chunk {
  /** Where the data begins: later than asked when rotation took the rest away. */
  readonly position: number
  readonly data: Buffer
}

const readAt = async (log: ContainerLog, asked: number): Promise<Chunk> => {
  const segment = log.segments.find(({ start, size }) => start + size > asked)
  if (segment === undefined) return { position: asked, data: Buffer.alloc(0) }
  const position = Math.max(asked, segment.start)
  const data = await readRange(segment, position - segment.start, Math.min(CHUNK_BYTES, segment.start + segment.size - position))
  // Rotation removed the file in between: go on with what is the oldest now.
  return data === undefined ? readAt(log, Math.max(asked, log.segments[0]?.start ?? log.end)) : { position, data }
}

const readRange = async (segment: Segment, offset: number, length: number): Promise<Buffer | undefined> => {
  let file: FileHandle | undefined
  try {
    file = await open(segment.path, 'r')
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await file.read(buffer, 0, length, offset)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  } finally {
    await file?.close()
  }
}

/** Resolves when there is more than `position`, when the log is closed, or on abort. */
const changed = (log: ContainerLog, position: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => {
    const check = (): void => {
      if (log.end <= position && !log.closed && !signal?.aborted) return
      unlisten()
      signal?.removeEventListener('abort', check)
      resolve()
    }
    const unlisten = log.onChange(check)
    signal?.addEventListener('abort', check, { once: true })
    check()
  })

/** Where the last `count` lines begin: found from the end, so that a short tail of a long log is cheap. */
const tailPosition = async (log: ContainerLog, count: number): Promise<number> => {
  if (count <= 0) return log.end
  let newlines = 0
  for (const segment of log.segments.toReversed()) {
    for (let end = segment.size; end > 0; ) {
      const start = Math.max(0, end - CHUNK_BYTES)
      const data = await readRange(segment, start, end - start)
      if (data === undefined) return segment.start + end
      for (let at = data.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : data.lastIndexOf(NEWLINE, at - 1)) {
        newlines++
        // The newline before the first wanted line; the log's very last byte is one too.
        if (newlines > count) return segment.start + start + at + 1
      }
      end = start
    }
  }
  return log.segments[0]?.start ?? 0
}
