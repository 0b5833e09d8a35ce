/** One record of a log file in the CRI form: `TIME STREAM F|P TEXT`; `P` is a part of a line that goes on in the next record. */
export interface LogRecord {
  readonly time: string
  readonly partial: boolean
  readonly text: Buffer
}

/** Longer lines are cut into partial records. */
export const MAX_LINE_BYTES = 16 * 1024

const NEWLINE = 0x0a

/** Renders records; times are milliseconds since the epoch. */
export const formatRecord = (timeMs: number, stream: 'stdout' | 'stderr', line: Line): Buffer => {
  const time = `${new Date(timeMs).toISOString().slice(0, -1)}000000Z`
  return Buffer.concat([Buffer.from(`${time} ${stream} ${line.partial ? 'P' : 'F'} `), line.text, Buffer.of(NEWLINE)])
}

/** Reads a record without its newline; undefined for what isn't one (a line torn by a crash). */
export const parseRecord = (line: Buffer): LogRecord | undefined => {
  const head = /^(\S+) (stdout|stderr) ([FP]) /.exec(line.subarray(0, HEAD_BYTES).toString('latin1'))
  if (head === null) return undefined
  return { time: head[1] ?? '', partial: head[3] === 'P', text: line.subarray(head[0].length) }
}

const HEAD_BYTES = 64

/** A line, or a part of one. */
export interface Line {
  readonly partial: boolean
  readonly text: Buffer
}

/** Cuts a stream of bytes into lines of at most {@link MAX_LINE_BYTES}. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): readonly Line[] {
    const lines: Line[] = []
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const end = data.indexOf(NEWLINE)
      if (end >= 0 && end <= MAX_LINE_BYTES) {
        lines.push({ partial: false, text: data.subarray(0, end) })
        data = data.subarray(end + 1)
      } else if (data.length > MAX_LINE_BYTES) {
        lines.push({ partial: true, text: data.subarray(0, MAX_LINE_BYTES) })
        data = data.subarray(MAX_LINE_BYTES)
      } else break
    }
    // A copy, so that a few bytes don't keep a large chunk alive.
    this.#rest = Buffer.from(data)
    return lines
  }

  /** What stands after the last newline when the stream has ended. */
  end(): readonly Line[] {
    const rest = this.#rest
    this.#rest = Buffer.alloc(0)
    return rest.length === 0 ? [] : [{ partial: true, text: rest }]
  }
}
