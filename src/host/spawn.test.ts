import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { identityOf, isAlive, processesWithEnv } from './processes.ts'
import { findOnPath, realSpawn } from './spawn.ts'

const env = { PATH: '/usr/bin:/bin' }

describe('realSpawn', () => {
  it('gives the output and how the process ended', async () => {
    const child = await realSpawn(['sh', '-c', 'echo $X; exit 4'], { env: { ...env, X: 'hello' } })
    const [chunk] = await once(child.stdout, 'data')
    expect(String(chunk)).toBe('hello\n')
    expect(await child.exited).toEqual({ kind: 'exited', code: 4 })
  })

  it('inherits nothing of the environment', async () => {
    const child = await realSpawn(['/usr/bin/env'], { env: { ONLY: '1' } })
    const [chunk] = await once(child.stdout, 'data')
    expect(String(chunk)).toBe('ONLY=1\n')
  })

  it('signals the whole group', async () => {
    const child = await realSpawn(['sh', '-c', 'sleep 60 & wait'], { env })
    expect(child.signal('SIGKILL')).toBe(true)
    expect(await child.exited).toEqual({ kind: 'signaled', signal: 'SIGKILL' })
    // Who adopts the orphan may take its time to reap it: until then the group is there.
    await expect.poll(() => child.signal('SIGKILL'), { timeout: 15_000 }).toBe(false)
  })

  it.each([
    ['sleep 0.05; echo >&3; exec sleep 60', true],
    ['exit 1', false],
  ])('knows when `%s` is ready: %s', async (script, expected) => {
    const child = await realSpawn(['sh', '-c', script], { env, tellsReady: true })
    expect(await child.ready).toBe(expected)
    child.signal('SIGKILL')
    await child.exited
  })

  it('finds a process by a variable of its environment', async () => {
    const child = await realSpawn(['sleep', '60'], { env: { ...env, FAIRWAY_TEST: `t${process.pid}` } })
    await expect.poll(() => processesWithEnv('FAIRWAY_TEST', `t${process.pid}`)).toEqual([child.pid])
    const identity = await identityOf(child.pid)
    child.signal('SIGKILL')
    await child.exited
    expect(identity && (await isAlive(identity))).toBe(false)
  })

  it.skipIf(findOnPath('setpriv') === undefined)(
    'dies with the process that started it, also when that is SIGKILLed (needs setpriv)',
    async () => {
      const script = `
      import { realSpawn } from ${JSON.stringify(new URL('./spawn.ts', import.meta.url).href)}
      const child = await realSpawn(['sleep', '60'], { env: {} })
      console.log(child.pid)
    `
      const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [line] = await once(parent.stdout, 'data')
      const identity = await identityOf(Number(line))
      expect(identity).toBeDefined()
      parent.kill('SIGKILL')
      await expect.poll(() => identity && isAlive(identity), { timeout: 5000 }).toBe(false)
    },
  )
})
