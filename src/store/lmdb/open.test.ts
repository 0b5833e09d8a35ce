import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { realClock, silentLogger, UserError } from '../../base/index.ts'
import { openEnvironment } from './environment.ts'
import { openLmdbStore } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'fairway-open-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const newPath = (): string => join(mkdtempSync(join(folder, 'case-')), 'data')
const open = (path: string) => openLmdbStore({ path, clock: realClock, log: silentLogger })
const refusal = async (path: string): Promise<string> => {
  const error = await open(path).then(
    () => 'it opened',
    (failed: unknown) => failed,
  )
  expect(error).toBeInstanceOf(UserError)
  return error instanceof Error ? error.message : ''
}
const script = (name: string): string => fileURLToPath(new URL(`testing/${name}.ts`, import.meta.url))

describe('the folder', () => {
  it('is made with its parents, for its owner alone, and so are its files', async () => {
    const path = join(newPath(), 'deep', 'er')
    const store = await open(path)
    await store.transact({ conditions: [], writes: [{ type: 'put', key: '/a', value: Buffer.from('1') }] })
    await store.close()
    const mode = (file: string): string => (statSync(join(path, file)).mode & 0o777).toString(8)
    expect([mode(''), mode('data.mdb'), mode('lock.mdb'), mode('state.json')]).toEqual(['700', '600', '600', '600'])
  })

  it('that is a file is refused with one line', async () => {
    const path = newPath()
    writeFileSync(path, 'a file')
    expect(await refusal(path)).toBe(`the data folder ${path} is not a folder; choose another one with --data-dir`)
  })

  it('of another format is refused', async () => {
    const path = newPath()
    await (await open(path)).close()
    const tables = openEnvironment(path)
    await tables.meta.put(Buffer.from('format'), Buffer.from('fairway-99'))
    await tables.root.close()
    expect(await refusal(path)).toContain('has format "fairway-99", which this version does not know')
  })

  it('keeps everything over a restart', async () => {
    const path = newPath()
    const store = await open(path)
    for (const value of ['1', '2'])
      await store.transact({ conditions: [], writes: [{ type: 'put', key: '/a', value: Buffer.from(value) }] })
    await store.close()
    const again = await open(path)
    expect(again.revision).toBe(2)
    expect(await again.get('/a')).toMatchObject({ createRevision: 1, modRevision: 2 })
    expect((await again.range({ prefix: '/', atRevision: 1 })).entries).toMatchObject([{ key: '/a', modRevision: 1 }])
    await again.close()
  })
})

describe('two that open one folder', () => {
  it('in one process: the second is refused, until the first closes', async () => {
    const path = newPath()
    const first = await open(path)
    expect(await refusal(path)).toBe(
      `the data folder ${path} is in use by process ${process.pid}; stop it, or choose another folder with --data-dir`,
    )
    await first.transact({ conditions: [], writes: [{ type: 'put', key: '/a', value: Buffer.from('1') }] })
    await first.close()
    await (await open(path)).close()
  })

  it('at the same moment: one of them wins', async () => {
    const path = newPath()
    const outcomes = await Promise.allSettled([open(path), open(path), open(path)])
    const opened = outcomes.filter((outcome) => outcome.status === 'fulfilled')
    expect(opened).toHaveLength(1)
    await opened[0]?.value.close()
  })

  it('in two processes: the second is refused, and takes over when the first was killed', { timeout: 30_000 }, async () => {
    const path = newPath()
    const child = spawn(process.execPath, ['--import', 'tsx', script('write-load'), path, '0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      for await (const _ of createInterface({ input: child.stdout })) break
      expect(await refusal(path)).toContain(`is in use by process ${child.pid}`)
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    const store = await open(path)
    expect(store.revision).toBeGreaterThanOrEqual(0)
    await store.close()
  })

  it.each([
    ['another process has its pid now', { startTime: '1' }],
    ['the machine was started again', { bootId: 'before' }],
  ])('an owner that is gone is replaced: %s', async (_, change) => {
    const path = newPath()
    const store = await open(path)
    const tables = openEnvironment(path)
    const owner: unknown = JSON.parse(tables.meta.get(Buffer.from('owner'))?.toString() ?? '')
    await store.close()
    await tables.meta.put(Buffer.from('owner'), Buffer.from(JSON.stringify({ ...Object(owner), ...change })))
    await tables.root.close()
    const again = await open(path)
    await again.close()
  })
})

describe('compaction', () => {
  it('leaves nothing of the past on disk', async () => {
    const path = newPath()
    const store = await open(path)
    for (let index = 0; index < 300; index++) {
      const key = `/k/${index % 7}`
      const write =
        index % 5 === 4 ? ({ type: 'delete', key } as const) : ({ type: 'put', key, value: Buffer.from('v') } as const)
      await store.transact({ conditions: [], writes: [write] })
    }
    await store.compact(store.revision)
    await store.close()
    const tables = openEnvironment(path)
    expect(tables.versions.getKeysCount()).toBe(0)
    expect(tables.events.getKeysCount()).toBe(0)
    expect(tables.current.getKeysCount()).toBeGreaterThan(0)
    await tables.root.close()
  })
})

describe('damaged data', () => {
  const PAGE = 4096
  const pristine = newPath()
  const make = async (): Promise<void> => {
    const store = await open(pristine)
    for (let index = 0; index < 200; index++) {
      await store.transact({
        conditions: [],
        writes: [{ type: 'put', key: `/k/${index % 60}`, value: Buffer.alloc(3000, index) }],
      })
    }
    await store.close()
  }
  const making = make()
  const overwrite = (file: string, position: number, length: number): void => {
    const handle = openSync(file, 'r+')
    writeSync(handle, Buffer.alloc(length, 0xa5), 0, length, position)
  }

  it.each<[string, (file: string) => void, RegExp]>([
    ['overwritten with text', (file) => writeFileSync(file, 'not a database at all'), /is damaged: /],
    ['emptied', (file) => writeFileSync(file, ''), /data\.mdb is empty/],
    ['removed', (file) => rmSync(file), /data\.mdb is missing/],
    ['cut in half', (file) => truncateSync(file, Math.floor(statSync(file).size / 2)), /is damaged: /],
    ['cut to its first pages', (file) => truncateSync(file, 2 * PAGE), /is damaged: /],
    ['with a broken first page', (file) => overwrite(file, 0, PAGE), /is damaged: /],
    [
      'with random pages broken',
      (file) => {
        for (const page of [20, 41, 62, 83, 104]) overwrite(file, page * PAGE, PAGE)
      },
      /is damaged: /,
    ],
    [
      'with one byte of a value changed',
      (file) => overwrite(file, readFileSync(file).lastIndexOf(Buffer.alloc(500, 190)), 1),
      /is damaged/,
    ],
  ])('%s is refused with one line that says what now, and left as it is', async (_, damage, expected) => {
    await making
    const path = newPath()
    cpSync(pristine, path, { recursive: true })
    const file = join(path, 'data.mdb')
    damage(file)
    const before = statSync(file, { throwIfNoEntry: false })?.size
    const message = await refusal(path)
    expect(message).toMatch(expected)
    expect(message).toContain('restore data.mdb from a copy, or move the folder away to begin anew')
    expect(message).not.toContain('\n')
    expect(statSync(file, { throwIfNoEntry: false })?.size).toBe(before)
  })
})

const canMount = (): boolean => {
  try {
    execFileSync('unshare', ['-m', 'true'], { stdio: 'ignore' })
    return process.getuid?.() === 0
  } catch {
    return false
  }
}

describe.skipIf(!canMount())('a full disk (skipped where no tmpfs can be mounted: needs root)', () => {
  it.each(['refuse', 'meet'])(
    '%s: the write is refused with a typed error, reads go on, and writes as soon as there is space',
    { timeout: 30_000 },
    (mode) => {
      const mountPoint = newPath()
      mkdirSync(mountPoint)
      const command = 'mount -t tmpfs -o size=16m tmpfs "$1" && exec "$2" --import tsx "$3" "$1/data" "$4"'
      const arguments_ = ['-m', 'sh', '-c', command, 'sh', mountPoint, process.execPath, script('full-disk'), mode]
      const output = execFileSync('unshare', arguments_, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      expect(JSON.parse(output)).toEqual({
        refused: 'full',
        refusedAgain: true,
        readable: true,
        writableAfterwards: true,
        keptOverRestart: true,
      })
    },
  )
})
