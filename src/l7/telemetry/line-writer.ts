import { closeSync, openSync, write } from 'node:fs'
import { errorMessage, UserError } from '../../base/index.ts'

/** Lines that wait for a slow disk or reader; what comes beyond is dropped and counted, never waited for. */
const MOST_WAITING_BYTES = 4_194_304
const FLUSH_MS = 200
const FLUSH_BYTES = 32_768
const STANDARD_OUTPUT = 1
/** Readable by its owner alone: paths and addresses of clients are nobody else's business. */
const MODE = 0o600

/** Throws when lines cannot be appended there. */
export const checkAccessLog = (path: string): void => {
  if (path === '-') return
  try {
    closeSync(openSync(path, 'a', MODE))
  } catch (error) {
    throw new UserError(`cannot write the access log to ${path}: ${errorMessage(error)}`)
  }
}

/** Appends lines to a file, in the background, several at a time. */
export class LineWriter {
  /** Lines that were thrown away because the file was too slow or could not be written. */
  dropped = 0
  readonly #fd: number
  readonly #timer: NodeJS.Timeout
  #waiting: string[] = []
  #waitingBytes = 0
  #isWriting = false
  #onIdle: (() => void) | undefined

  /** Throws when the file cannot be opened. */
  constructor(path: string) {
    this.#fd = path === '-' ? STANDARD_OUTPUT : openSync(path, 'a', MODE)
    this.#timer = setInterval(() => this.#flush(), FLUSH_MS)
    this.#timer.unref()
  }

  write(line: string): void {
    if (this.#waitingBytes > MOST_WAITING_BYTES) {
      this.dropped++
      return
    }
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    if (this.#waitingBytes >= FLUSH_BYTES) this.#flush()
  }

  /** Resolves when everything that was written is in the file. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#flush()
    if (this.#isWriting) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    if (this.#fd !== STANDARD_OUTPUT) closeSync(this.#fd)
  }

  #flush(): void {
    if (this.#isWriting || this.#waiting.length === 0) return
    const lines = this.#waiting
    const bytes = Buffer.from(lines.join(''), 'utf8')
    this.#waiting = []
    this.#waitingBytes = 0
    this.#isWriting = true
    this.#writeAll(bytes, lines.length)
  }

  #writeAll(bytes: Buffer, lines: number): void {
    write(this.#fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#writeAll(bytes, lines), FLUSH_MS)
        return
      }
      if (error === null && written < bytes.length) {
        this.#writeAll(bytes.subarray(written), lines)
        return
      }
      if (error !== null) this.dropped += lines
      this.#isWriting = false
      if (this.#waiting.length > 0) this.#flush()
      else this.#onIdle?.()
    })
  }
}
