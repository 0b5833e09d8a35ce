import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { silentLogger } from '../../base/index.ts'
import { everything, pods } from '../testing/harness.ts'
import { createEngine, type RunningEngine } from './engine.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** An engine with one worker process before the pod at `port`. */
const engineBefore = async (port: number): Promise<{ readonly port: number; readonly worker: number }> => {
  const stop = new AbortController()
  const engine = createEngine({
    http: { address: '127.0.0.1', port: 0 },
    workers: 1,
    log: silentLogger,
    settings: { drainTimeoutMs: 200 },
  })
  await engine.update({ hosts: new Map([['', everything('pods')]]), backends: new Map([['pods', pods(port)]]) })
  const running: RunningEngine = await engine.start(stop.signal)
  cleanups.push(async () => {
    stop.abort()
    await running.stopped
  })
  return { port: running.http ?? 0, worker: running.workers[0] ?? 0 }
}

const listening = async (server: http.Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1_024

/** The most that a process holds until the returned function is called. */
const watchMemory = (pid: number): (() => number) => {
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, residentMiB(pid))
  }, 20)
  return () => {
    clearInterval(timer)
    return Math.max(most, residentMiB(pid))
  }
}

const run = (program: string, args: readonly string[], input?: NodeJS.ReadableStream): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'inherit'] })
    let text = ''
    child.stdout?.on('data', (piece) => {
      text += piece
    })
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`${program}: exit ${code}`))))
    if (input !== undefined && child.stdin !== null) {
      child.stdin.on('error', () => {})
      input.pipe(child.stdin)
    }
  })

const GIB = 1_073_741_824

describe('a body of 1 GiB', { timeout: 120_000 }, () => {
  const PIECE = Buffer.alloc(1_048_576, 'x')
  /** A pod that sends as much as the path says, and counts what it gets. */
  const bulkPod = (): Promise<number> =>
    listening(
      http.createServer((request, response) => {
        let got = 0
        request.on('data', (piece: Buffer) => {
          got += piece.length
        })
        request.on('end', () => {
          if (request.method === 'POST') {
            response.end(String(got))
            return
          }
          response.setHeader('Content-Length', GIB)
          let left = GIB / PIECE.length
          const more = (): void => {
            while (left > 0) {
              left--
              if (!response.write(PIECE)) {
                response.once('drain', more)
                return
              }
            }
            response.end()
          }
          more()
        })
      }),
    )

  it('comes down through bounded memory', async () => {
    const { port, worker } = await engineBefore(await bulkPod())
    const before = residentMiB(worker)
    const most = watchMemory(worker)
    const size = await run('curl', ['-s', '-o', '/dev/null', '-w', '%{size_download}', `http://127.0.0.1:${port}/`])
    expect(Number(size)).toBe(GIB)
    expect(most() - before).toBeLessThan(100)
  })

  it('goes up through bounded memory, with a length and in chunks', async () => {
    const { port, worker } = await engineBefore(await bulkPod())
    const url = `http://127.0.0.1:${port}/`
    const before = residentMiB(worker)
    const most = watchMemory(worker)
    const zeros = (): NodeJS.ReadableStream =>
      spawn('head', ['-c', String(GIB), '/dev/zero'], { stdio: ['ignore', 'pipe', 'inherit'] }).stdout
    const upload = ['-s', '-X', 'POST', '-H', 'Expect:', '-T', '-']
    expect(await run('curl', [...upload, url], zeros())).toBe(String(GIB))
    expect(await run('curl', [...upload, '-H', `Content-Length: ${GIB}`, '-H', 'Transfer-Encoding:', url], zeros())).toBe(
      String(GIB),
    )
    expect(most() - before).toBeLessThan(100)
  })
})

describe('10,000 idle connections', { timeout: 120_000 }, () => {
  const COUNT = 10_000
  const openFiles = Number(/Max open files\s+\S+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 0)

  it('are kept in bounded memory and served when they wake', async ({ skip }) => {
    if (openFiles < COUNT + 500) skip(`this process may open only ${openFiles} files`)
    const { port, worker } = await engineBefore(await listening(http.createServer((_request, response) => response.end('ok'))))
    await ask(await open(port))
    const before = residentMiB(worker)
    const sockets: net.Socket[] = []
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy()
    })
    while (sockets.length < COUNT) sockets.push(...(await Promise.all(Array.from({ length: 200 }, () => open(port)))))
    for (let i = 0; i < COUNT; i += 100) await Promise.all(sockets.slice(i, i + 100).map(ask))
    const kib = ((residentMiB(worker) - before) * 1_024) / COUNT
    expect(kib).toBeLessThan(24)
    for (const at of [0, COUNT / 2, COUNT - 1]) await ask(sockets[at] as net.Socket)
  })

  const open = (port: number): Promise<net.Socket> =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ host: '127.0.0.1', port })
      socket.once('connect', () => resolve(socket))
      socket.once('error', reject)
    })

  /** One request and its answer. */
  const ask = (socket: net.Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      let text = ''
      const onData = (piece: Buffer): void => {
        text += piece.toString('latin1')
        if (!text.endsWith('ok') && !text.endsWith('0\r\n\r\n')) return
        socket.off('data', onData)
        if (text.startsWith('HTTP/1.1 200')) resolve()
        else reject(new Error(text))
      }
      socket.on('data', onData)
      socket.once('close', () => reject(new Error('closed')))
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    })
})

describe('WebSockets', { timeout: 30_000 }, () => {
  const echo = async (): Promise<number> => {
    const server = http.createServer((_request, response) => response.writeHead(426).end())
    const sockets = new WebSocketServer({ server, maxPayload: 64 * 1_048_576 })
    sockets.on('connection', (socket, request) => {
      socket.on('message', (data, isBinary) => {
        if (data.toString() === 'bye') socket.close(4_001, 'as you wish')
        else socket.send(isBinary ? data : `${request.url} ${data.toString()}`, { binary: isBinary })
      })
    })
    cleanups.push(() => sockets.close())
    return listening(server)
  }

  it('carry texts, large messages and pings both ways, and each side’s close', async () => {
    const { port } = await engineBefore(await echo())
    const client = new WebSocket(`ws://127.0.0.1:${port}/chat?room=1`, { maxPayload: 64 * 1_048_576 })
    cleanups.push(() => client.terminate())
    await new Promise<void>((resolve, reject) => client.once('open', resolve).once('error', reject))
    const answer = (): Promise<Buffer> => new Promise((resolve) => client.once('message', (data) => resolve(data as Buffer)))
    client.send('hello')
    expect((await answer()).toString()).toBe('/chat?room=1 hello')
    const large = Buffer.alloc(16 * 1_048_576, 'z')
    client.send(large)
    expect((await answer()).equals(large)).toBe(true)
    client.ping('are you there')
    expect(await new Promise((resolve) => client.once('pong', (data) => resolve(data.toString())))).toBe('are you there')
    client.send('bye')
    const [code, reason] = await new Promise<[number, Buffer]>((resolve) => client.once('close', (...args) => resolve(args)))
    expect([code, reason.toString()]).toEqual([4_001, 'as you wish'])
  })

  it('are refused by a pod as HTTP, which the client sees', async () => {
    const { port } = await engineBefore(
      await listening(http.createServer((_request, response) => response.writeHead(403).end('no'))),
    )
    const client = new WebSocket(`ws://127.0.0.1:${port}/`)
    const status = await new Promise((resolve) =>
      client.once('unexpected-response', (_request, response) => resolve(response.statusCode)),
    )
    client.on('error', () => {})
    client.terminate()
    expect(status).toBe(403)
  })
})
