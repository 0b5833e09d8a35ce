import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Running, UserError } from '../base/index.ts'
import { askControl, serveControl } from './control.ts'

describe('control socket', () => {
  const stop = new AbortController()
  let folder: string
  let running: Running

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairway-control-'))
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
    await rm(folder, { recursive: true })
  })

  it('answers', async () => {
    expect(await askControl(folder, 'echo', { say: 'a & b' })).toEqual({ said: 'a & b' })
  })

  it('hands on why it refused', async () => {
    await expect(askControl(folder, 'refuse', {})).rejects.toThrow('not like this')
  })

  it.each(['nosuch', '__proto__', 'constructor'])('knows no question %s', async (question) => {
    await expect(askControl(folder, question, {})).rejects.toThrow(`no such question: ${question}`)
  })

  it('is for its owner only', async () => {
    expect((await stat(join(folder, 'control.sock'))).mode & 0o777).toBe(0o600)
  })

  it('says that nothing runs where nothing does', async () => {
    await expect(askControl(join(folder, 'elsewhere'), 'echo', {})).rejects.toThrow('nothing runs on')
  })
})
