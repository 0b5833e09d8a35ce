import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { realClock, silentLogger } from '../../base/index.ts'
import { createStreamEngine } from './stream-engine.ts'
import type { StreamPort } from './stream-table.ts'

const HOST = '127.79.0.1'
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Answers every line with its name and the line. */
const pod = async (name: string): Promise<{ readonly address: string; readonly port: number }> => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => socket.write(`${name} ${bytes}`))
    cleanups.push(() => socket.destroy())
  }).listen(0, HOST)
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return { address: HOST, port: (server.address() as AddressInfo).port }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const start = async (trustedProxies: readonly string[] = []) => {
  const engine = createStreamEngine({ address: HOST, trustedProxies, drainMs: 500, clock: realClock, log: silentLogger })
  const abort = new AbortController()
  const { stopped } = await engine.start(abort.signal)
  const stop = async (): Promise<void> => {
    abort.abort()
    await stopped
  }
  cleanups.push(stop)
  return { engine, stop }
}

const tcp = (port: number, endpoints: StreamPort['endpoints'], rest: Partial<StreamPort> = {}): StreamPort => ({
  protocol: 'TCP',
  port,
  endpoints,
  takesProxyHeader: false,
  sendsProxyHeader: false,
  ...rest,
})

const dial = async (port: number): Promise<Socket> => {
  const socket = connect({ host: HOST, port })
  socket.on('error', () => {})
  cleanups.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}
const say = (socket: Socket, line: string): Promise<string> => {
  socket.write(line)
  return new Promise((resolve) => {
    socket.once('data', (bytes) => resolve(String(bytes)))
    socket.once('close', () => resolve('closed'))
  })
}

describe('the streams engine', () => {
  it('forwards to the pods in turn, and follows them without touching what is established', async () => {
    const [a, b, port] = [await pod('a'), await pod('b'), await freePort()]
    const { engine } = await start()
    expect(await engine.update([tcp(port, [a, b])])).toEqual([])
    const sockets = [await dial(port), await dial(port)]
    expect((await Promise.all(sockets.map((socket) => say(socket, 'x')))).sort()).toEqual(['a x', 'b x'])
    await engine.update([tcp(port, [b])])
    expect((await Promise.all(sockets.map((socket) => say(socket, 'y')))).sort()).toEqual(['a y', 'b y'])
    expect(await say(await dial(port), 'z')).toBe('b z')
  })

  it('one port that comes or goes cuts no connection, its own established ones included', async () => {
    const [a, one, two] = [await pod('a'), await freePort(), await freePort()]
    const { engine } = await start()
    await engine.update([tcp(one, [a]), tcp(two, [a])])
    const sockets = [await dial(one), await dial(two)]
    for (const socket of sockets) expect(await say(socket, '1')).toBe('a 1')
    await engine.update([tcp(one, [a])])
    for (const socket of sockets) expect(await say(socket, '2')).toBe('a 2')
    const refused = connect({ host: HOST, port: two })
    await expect(once(refused, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('tells which port cannot be had, and serves the others', async () => {
    const a = await pod('a')
    const port = await freePort()
    const { engine } = await start()
    expect(await engine.update([tcp(a.port, [a]), tcp(port, [a])])).toEqual([
      { protocol: 'TCP', port: a.port, code: 'EADDRINUSE' },
    ])
    expect(await say(await dial(port), 'x')).toBe('a x')
  })

  it('tells pods who the client is, with a PROXY header', async () => {
    const [a, port] = [await pod('a'), await freePort()]
    const { engine } = await start()
    await engine.update([tcp(port, [a], { sendsProxyHeader: true })])
    const socket = await dial(port)
    expect(await say(socket, '')).toBe(`a PROXY TCP4 ${socket.localAddress} ${HOST} ${socket.localPort} ${port}\r\n`)
  })

  it('believes the PROXY header of a trusted peer, and hands on what it says', async () => {
    const [a, port] = [await pod('a'), await freePort()]
    const { engine } = await start(['127.0.0.0/8'])
    await engine.update([tcp(port, [a], { takesProxyHeader: true, sendsProxyHeader: true })])
    const header = 'PROXY TCP4 192.0.2.7 198.51.100.1 4000 443\r\n'
    expect(await say(await dial(port), `${header}hello`)).toContain(`a ${header}`)
  })

  it.each([
    ['of a peer that is not trusted', [], 'PROXY TCP4 192.0.2.7 198.51.100.1 4000 443\r\n'],
    ['that is missing', ['127.0.0.0/8'], 'GET / HTTP/1.1\r\n\r\n'],
  ])('refuses a connection with a PROXY header %s', async (_title, trusted, bytes) => {
    const [a, port] = [await pod('a'), await freePort()]
    const { engine } = await start(trusted)
    await engine.update([tcp(port, [a], { takesProxyHeader: true })])
    expect(await say(await dial(port), bytes)).toBe('closed')
  })

  it('forwards UDP both ways, and leaves pods that are gone', async () => {
    const pods = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const socket = createSocket('udp4', (bytes, from) => socket.send(`${name} ${bytes}`, from.port, from.address))
        await new Promise<void>((resolve) => socket.bind(0, HOST, resolve))
        cleanups.push(() => socket.close())
        return { address: HOST, port: socket.address().port }
      }),
    )
    const port = await freePort()
    const { engine } = await start()
    const client = createSocket('udp4')
    cleanups.push(() => client.close())
    const ask = async (text: string): Promise<string> => {
      client.send(text, port, HOST)
      const [bytes] = await once(client, 'message')
      return String(bytes)
    }
    await engine.update([{ ...tcp(port, pods.slice(0, 1)), protocol: 'UDP' }])
    expect(await ask('x')).toBe('a x')
    await engine.update([{ ...tcp(port, pods.slice(1)), protocol: 'UDP' }])
    expect(await ask('y')).toBe('b y')
  })

  it('replaces a worker that is killed, with the ports as they are', async () => {
    const [a, port] = [await pod('a'), await freePort()]
    const { engine } = await start()
    await engine.update([tcp(port, [a])])
    const before = engine.pid ?? 0
    process.kill(before, 'SIGKILL')
    const answers = async (): Promise<string> => {
      const socket = await dial(port).catch(() => undefined)
      return socket === undefined ? 'refused' : say(socket, 'x')
    }
    await expect.poll(answers, { timeout: 10_000 }).toBe('a x')
    expect(engine.pid).not.toBe(before)
  })

  it('at its stop takes nothing new, lets connections end, and leaves no process', async () => {
    const [a, port] = [await pod('a'), await freePort()]
    const { engine, stop } = await start()
    await engine.update([tcp(port, [a])])
    const pid = engine.pid ?? 0
    const socket = await dial(port)
    expect(await say(socket, '1')).toBe('a 1')
    const stopped = stop()
    expect(await say(socket, '2')).toBe('a 2')
    socket.end()
    await stopped
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    await expect(engine.update([])).rejects.toThrow('stopped')
  })

  it('has no process while there is no port', async () => {
    const { engine } = await start()
    await engine.update([])
    expect(engine.pid).toBeUndefined()
  })
})
