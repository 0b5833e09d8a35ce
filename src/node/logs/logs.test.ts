import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { ContainerLog } from './container-log.ts'
import { type LogOptions, readLog } from './read-log.ts'
import { formatRecord, LineSplitter, MAX_LINE_BYTES, parseRecord } from './record.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-logs-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const START = Date.UTC(2026, 0, 1)
const written = async (text: string, limits?: ConstructorParameters<typeof ContainerLog>[2]): Promise<ContainerLog> => {
  const log = new ContainerLog(join(folder, 'c'), 0, limits)
  await log.record(Readable.from(text.match(/[\s\S]{1,1000}/g) ?? []), 'stdout', pausedClock(START))
  log.close()
  return log
}
const text = async (log: ContainerLog, options?: LogOptions): Promise<string> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of readLog(log, options)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

describe('records', () => {
  it('carry any bytes but newlines', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, partial) => {
        const line = Buffer.from(bytes.filter((byte) => byte !== 0x0a))
        const record = formatRecord(START, 'stderr', { partial, text: line })
        expect(parseRecord(record.subarray(0, -1))).toEqual({ time: '2026-01-01T00:00:00.000000000Z', partial, text: line })
      }),
    )
  })

  it.each(['', 'torn', '2026-01-01T00:00:00Z stdout', 'x stdin F y'])('%j is none', (line) => {
    expect(parseRecord(Buffer.from(line))).toBeUndefined()
  })

  it('give the same lines however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ maxLength: 20 }).map((part) => part.replaceAll('\r', '')),
          { maxLength: 20 },
        ),
        fc.integer({ min: 1, max: 7 }),
        (parts, size) => {
          const whole = Buffer.from(parts.join('\n'))
          const splitter = new LineSplitter()
          const lines = []
          for (let at = 0; at < whole.length; at += size) lines.push(...splitter.push(whole.subarray(at, at + size)))
          lines.push(...splitter.end())
          expect(lines.map((line) => `${line.text}${line.partial ? '' : '\n'}`).join('')).toBe(whole.toString())
        },
      ),
    )
  })
})

describe('a container log', () => {
  it('gives back what was written, also lines of megabytes', async () => {
    const content = `short\n${'x'.repeat(3 * MAX_LINE_BYTES + 5)}\nünïcode\nno newline`
    expect(await text(await written(content))).toBe(content)
  })

  it('gives the last lines, as many as asked, wherever chunks and files end', async () => {
    const lines = Array.from({ length: 3000 }, (_, index) => `line ${index} ${'.'.repeat(index % 90)}`)
    const log = await written(`${lines.join('\n')}\n`, { maxFileBytes: 50_000, maxFiles: 100 })
    expect(log.segments.length).toBeGreaterThan(3)
    for (const count of [0, 1, 2, 700, 2999, 3000, 5000]) {
      const expected = count === 0 ? '' : `${lines.slice(-count).join('\n')}\n`
      expect(await text(log, { tailLines: count })).toBe(expected)
    }
  })

  it('drops the oldest files above the limit, and gives what is left', async () => {
    const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}`)
    const log = await written(`${lines.join('\n')}\n`, { maxFileBytes: 5000, maxFiles: 3 })
    expect(await readdir(join(folder, 'c'))).toHaveLength(3)
    const left = await text(log)
    expect(left.endsWith('line 1999\n')).toBe(true)
    expect(left.length).toBeLessThan(20_000)
    expect(lines.join('\n').endsWith(left.trimEnd())).toBe(true)
  })

  it('begins each line with its time when asked, and only once for a long one', async () => {
    const log = await written(`a\n${'x'.repeat(MAX_LINE_BYTES + 1)}\n`)
    expect((await text(log, { timestamps: true })).match(/2026-01-01T00:00:00\.000000000Z /g)).toHaveLength(2)
  })

  it('leaves out what is older than asked', async () => {
    const log = new ContainerLog(join(folder, 'c'), 0)
    const clock = pausedClock(START)
    await log.record(Readable.from(['old\n']), 'stdout', clock)
    await clock.advance(5000)
    await log.record(Readable.from(['new\n']), 'stderr', clock)
    log.close()
    expect(await text(log, { sinceMs: START + 1000 })).toBe('new\n')
  })

  it('stops at a number of bytes', async () => {
    expect(await text(await written('abc\ndef\n'), { limitBytes: 5 })).toBe('abc\nd')
  })

  it('follows as lines come and ends with the run', async () => {
    const log = new ContainerLog(join(folder, 'c'), 0)
    const source = new PassThrough()
    const recorded = log.record(source, 'stdout', pausedClock(START))
    const seen: string[] = []
    const following = (async () => {
      for await (const chunk of readLog(log, { follow: true })) seen.push(String(Buffer.from(chunk)))
    })()
    source.write('one\n')
    await expect.poll(() => seen.join('')).toBe('one\n')
    source.end('two\n')
    await recorded
    log.close()
    await following
    expect(seen.join('')).toBe('one\ntwo\n')
  })

  it('stops following on abort', async () => {
    const log = new ContainerLog(join(folder, 'c'), 0)
    const stop = new AbortController()
    const following = text(log, { follow: true, signal: stop.signal })
    stop.abort()
    expect(await following).toBe('')
  })

  it('is found on disk by a later run of the node, without a line that a crash tore', async () => {
    const log = await written('kept\n')
    await appendFile(log.segments[0]?.path ?? '', '2026-01-01T00')
    const found = await ContainerLog.load(join(folder, 'c'), 0)
    expect(found && (await text(found))).toBe('kept\n')
    expect(await ContainerLog.load(join(folder, 'c'), 1)).toBeUndefined()
  })

  it('keeps the run before and removes older ones', async () => {
    for (const run of [0, 1, 2]) {
      const log = new ContainerLog(join(folder, 'c'), run)
      await log.record(Readable.from([`${run}\n`]), 'stdout', pausedClock(START))
      await log.removeOlder()
    }
    expect((await readdir(join(folder, 'c'))).sort()).toEqual(['1.0.log', '2.0.log'])
  })

  it('takes a container’s output in although it can’t be written', async () => {
    await appendFile(join(folder, 'file'), '')
    const log = new ContainerLog(join(folder, 'file/c'), 0)
    await log.record(Readable.from(['lost\n']), 'stdout', pausedClock(START))
    log.close()
    expect(await text(log)).toBe('')
  })
})
