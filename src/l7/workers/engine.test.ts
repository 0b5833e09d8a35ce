import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { silentLogger, UserError } from '../../base/index.ts'
import type { TableDelta } from '../table/index.ts'
import { answeringPod, everything, pods, rawClient, rawPod } from '../testing/harness.ts'
import { createEngine, type Engine, type EngineOptions, type RunningEngine } from './engine.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

const answering = async (name: string): Promise<number> => {
  const pod = await answeringPod(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`)
  cleanup.push(() => pod.close())
  return pod.port
}

const routed = (port: number): TableDelta => ({
  hosts: new Map([['', everything('pods')]]),
  backends: new Map([['pods', pods(port)]]),
})

const start = async (
  options: Partial<EngineOptions> = {},
): Promise<{ readonly engine: Engine; readonly running: RunningEngine; stop(): Promise<void> }> => {
  const engine = createEngine({ http: { address: '127.0.0.1', port: 0 }, workers: 1, tickMs: 10, log: silentLogger, ...options })
  const abort = new AbortController()
  const running = await engine.start(abort.signal)
  const stop = async (): Promise<void> => {
    abort.abort()
    await running.stopped
  }
  cleanup.push(stop)
  return { engine, running, stop }
}

const get = (port = 0): Promise<string> =>
  new Promise((resolve, reject) => {
    http
      .get({ port, headers: { host: 'a' }, agent: false }, (response) => {
        let text = ''
        response.on('data', (piece) => {
          text += piece
        })
        response.on('end', () => resolve(text))
      })
      .on('error', reject)
  })

const gone = async (pid: number): Promise<void> => {
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setImmediate(resolve))
}

describe('the engine', { timeout: 60_000 }, () => {
  it('serves a table that was given before the start', async () => {
    const engine = createEngine({ http: { address: '127.0.0.1', port: 0 }, workers: 1, log: silentLogger })
    await engine.update(routed(await answering('early')))
    const abort = new AbortController()
    const running = await engine.start(abort.signal)
    cleanup.push(() => running.stopped)
    cleanup.push(() => abort.abort())
    expect(await get(running.http)).toBe('early')
  })

  it('serves an update in every worker when it resolves', async () => {
    const { engine, running } = await start({ workers: 2 })
    expect(running.workers).toHaveLength(2)
    const ports = await Promise.all(['one', 'two'].map(answering))
    for (let round = 0; round < 10; round++) {
      await engine.update(routed(ports[round % 2] ?? 0))
      const answers = await Promise.all(Array.from({ length: 8 }, () => get(running.http)))
      expect(new Set(answers)).toEqual(new Set([round % 2 === 0 ? 'one' : 'two']))
    }
    expect((await engine.stats()).requests).toBe(80)
  })

  it('keeps connections while the table changes', async () => {
    const { engine, running } = await start()
    await engine.update(routed(await answering('one')))
    const client = await rawClient(running.http ?? 0)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/one$/)
    await engine.update(routed(await answering('two')))
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/two$/)
    client.socket.destroy()
  })

  it('replaces a killed worker, which serves the present table; connections that wait meanwhile are served', async () => {
    const { engine, running } = await start()
    await engine.update(routed(await answering('one')))
    const [pid = 0] = running.workers
    process.kill(pid, 'SIGKILL')
    await gone(pid)
    const update = engine.update(routed(await answering('two')))
    expect(await get(running.http)).toBe('two')
    await update
    expect(running.workers).not.toContain(pid)
  })

  it('stops its workers after their requests, and frees the port', async () => {
    const pod = await rawPod(() => {})
    cleanup.push(() => pod.close())
    const { engine, running, stop } = await start({ settings: { drainTimeoutMs: 5_000 } })
    await engine.update(routed(pod.port))
    const client = await rawClient(running.http ?? 0)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await pod.accepted(1)
    const pids = running.workers
    const stopped = stop()
    pod.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate')
    expect(await client.closed()).toMatch(/late$/)
    await stopped
    for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false)
    await expect(rawClient(running.http ?? 0)).rejects.toThrow('ECONNREFUSED')
    await expect(engine.update({})).rejects.toThrow('stopped')
  })

  it('says which port is taken and how to choose another', async () => {
    const taken = net.createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    cleanup.push(() => taken.close())
    const address = taken.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const failure = await start({ http: { address: '127.0.0.1', port, flag: '--ingress-http' } }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(UserError)
    expect(String(failure)).toContain(`127.0.0.1 port ${port} is already in use`)
    expect(String(failure)).toContain('--ingress-http')
  })

  it('serves a built-in certificate on its TLS port', async () => {
    const { engine, running } = await start({ https: { address: '127.0.0.1', port: 0 } })
    await engine.update(routed(await answering('secure')))
    const curl = spawn('curl', ['-ksS', '--max-time', '10', `https://127.0.0.1:${running.https}/`])
    const text = await new Promise<string>((resolve) => {
      let out = ''
      curl.stdout.on('data', (piece) => {
        out += piece
      })
      curl.once('close', () => resolve(out))
    })
    expect(text).toBe('secure')
  })

  it('leaves no worker behind when its own process is killed', async () => {
    const script = fileURLToPath(new URL('../testing/engine-process.ts', import.meta.url))
    const parent = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const pid = await new Promise<number>((resolve) => {
      parent.stdout.once('data', (text) => resolve(Number(text)))
    })
    expect(existsSync(`/proc/${pid}`)).toBe(true)
    parent.kill('SIGKILL')
    await gone(pid)
  })
})
