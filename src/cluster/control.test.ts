import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Running, UserError } from '../base/index.ts'
import { askControl, serveControl } from './control.ts'

describe.each([
  ['a usual folder', ''],
  ['a folder whose path is longer than a socket may have', 'x'.repeat(150)],
])('control socket in %s', (_title, below) => {
  const stop = new AbortController()
  let base: string
  let folder: string
  let running: Running

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'fairway-control-'))
    folder = join(base, below)
    await mkdir(folder, { recursive: true })
    const handlers = {
      echo: (query: URLSearchParams) => ({ said: query.get('say') }),
      refuse: () => {
        throw new UserError('not like this')
      },
    }
    running = await serveControl(folder, handlers).start(stop.signal)
  })

  afterAll(async () => {
    stop.abort()
    await running.stopped
    await rm(base, { recursive: true })
  })

  it('answers', async () => {
    expect(await askControl(folder, 'echo', new URLSearchParams({ say: 'a & b' }))).toEqual({ said: 'a & b' })
  })

  it('hands on why it refused', async () => {
    await expect(askControl(folder, 'refuse', new URLSearchParams())).rejects.toThrow('not like this')
  })

  it.each(['nosuch', '__proto__', 'constructor'])('knows no question %s', async (question) => {
    await expect(askControl(folder, question, new URLSearchParams())).rejects.toThrow(`no such question: ${question}`)
  })

  it('is for its owner only', async () => {
    expect((await stat(join(folder, 'control.sock'))).mode & 0o777).toBe(0o600)
  })

  it('says that nothing runs where nothing does', async () => {
    await expect(askControl(join(folder, 'elsewhere'), 'echo', new URLSearchParams())).rejects.toThrow('nothing runs on')
  })
})
