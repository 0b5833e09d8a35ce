import { appendFile, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Clock } from '../../base/index.ts'
import { formatRecord, LineSplitter } from './record.ts'

export interface LogLimits {
  /** A file that reached this size is followed by a new one. */
  readonly maxFileBytes: number
  /** Of one run; the oldest go. */
  readonly maxFiles: number
}

/** As the kubelet's containerLogMaxSize and containerLogMaxFiles. */
const DEFAULT_LOG_LIMITS: LogLimits = { maxFileBytes: 10 * 1024 * 1024, maxFiles: 5 }

/** One file of a log; positions count the bytes of the whole log since its beginning. */
export interface Segment {
  readonly path: string
  readonly start: number
  size: number
}

/**
 * The output of one run of a container: files `RUN.SEQUENCE.log` in the container's folder, written in order, rotated by size.
 * Readers follow by position and are woken by `onChange`.
 */
export class ContainerLog {
  readonly run: number
  readonly #folder: string
  readonly #limits: LogLimits
  #segments: Segment[] = []
  #sequence = 0
  #writing: Promise<void> = Promise.resolve()
  #closed = false
  /** The last write failed. */
  #torn = false
  readonly #listeners = new Set<() => void>()

  constructor(folder: string, run: number, limits: LogLimits = DEFAULT_LOG_LIMITS) {
    this.#folder = folder
    this.run = run
    this.#limits = limits
  }

  /** The log of an earlier run as it is on disk; undefined when nothing is left of it. */
  static async load(folder: string, run: number): Promise<ContainerLog | undefined> {
    const log = new ContainerLog(folder, run)
    const sequences = (await filesOf(folder)).filter((file) => file.run === run).map((file) => file.sequence)
    let start = 0
    for (const sequence of sequences.sort((a, b) => a - b)) {
      const path = join(folder, fileName(run, sequence))
      const { size } = await stat(path)
      log.#segments.push({ path, start, size })
      start += size
    }
    log.#closed = true
    return log.#segments.length === 0 ? undefined : log
  }

  get segments(): readonly Segment[] {
    return this.#segments
  }

  /** The position after the last byte. */
  get end(): number {
    const last = this.#segments.at(-1)
    return last === undefined ? 0 : last.start + last.size
  }

  /** Nothing more will come. */
  get closed(): boolean {
    return this.#closed
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes in a stream until it ends; slows its writer down when the disk is slow. */
  async record(source: Readable, stream: 'stdout' | 'stderr', clock: Clock): Promise<void> {
    const splitter = new LineSplitter()
    for await (const chunk of source) {
      const lines = splitter.push(Buffer.from(chunk))
      await this.#append(Buffer.concat(lines.map((line) => formatRecord(clock.now(), stream, line))))
    }
    const rest = splitter.end()
    await this.#append(Buffer.concat(rest.map((line) => formatRecord(clock.now(), stream, line))))
  }

  close(): void {
    this.#closed = true
    this.#tell()
  }

  /** Removes the files of runs before `run - 1`, which nobody can ask for any more. */
  async removeOlder(): Promise<void> {
    for (const file of await filesOf(this.#folder)) {
      if (file.run < this.run - 1) await rm(join(this.#folder, fileName(file.run, file.sequence)), { force: true })
    }
  }

  #append(data: Buffer): Promise<void> {
    if (data.length === 0) return this.#writing
    this.#writing = this.#writing.then(() => this.#write(data))
    return this.#writing
  }

  async #write(data: Buffer): Promise<void> {
    try {
      const segment = await this.#segmentFor()
      await appendFile(segment.path, data, { mode: 0o600 })
      segment.size += data.length
    } catch {
      // A full disk costs log lines, never the container: its output is read on, so that it doesn't block.
      // A part may have been written, so the positions in this file are not known any more.
      this.#torn = true
    }
    this.#tell()
  }

  async #segmentFor(): Promise<Segment> {
    const current = this.#segments.at(-1)
    if (current && current.size < this.#limits.maxFileBytes && !this.#torn) return current
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const segment = { path: join(this.#folder, fileName(this.run, this.#sequence++)), start: this.end, size: 0 }
    this.#segments = [...this.#segments, segment]
    this.#torn = false
    while (this.#segments.length > this.#limits.maxFiles) {
      const [oldest, ...rest] = this.#segments
      this.#segments = rest
      if (oldest) await rm(oldest.path, { force: true })
    }
    return segment
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

const fileName = (run: number, sequence: number): string => `${run}.${sequence}.log`

interface LogFile {
  readonly run: number
  readonly sequence: number
}

const filesOf = async (folder: string): Promise<readonly LogFile[]> => {
  const names = await readdir(folder).catch((): string[] => [])
  return names.flatMap((name) => {
    const parts = /^(\d+)\.(\d+)\.log$/.exec(name)
    return parts ? [{ run: Number(parts[1]), sequence: Number(parts[2]) }] : []
  })
}
