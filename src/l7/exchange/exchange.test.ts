import { afterEach, describe, expect, it } from 'vitest'
import type { EngineSettings } from '../settings.ts'
import { answeringPod, everything, pods, type RawPod, rawClient, rawPod, startEngine, to } from '../testing/harness.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

const keep = (pod: RawPod): RawPod => {
  cleanup.push(() => pod.close())
  return pod
}

const engineFor = async (
  ports: readonly number[],
  settings?: Partial<EngineSettings>,
  more?: Parameters<typeof startEngine>[2],
): Promise<Awaited<ReturnType<typeof startEngine>>> => {
  const engine = await startEngine(ports, settings, more)
  cleanup.push(() => engine.stop())
  return engine
}

const connect = async (port: number): Promise<Awaited<ReturnType<typeof rawClient>>> => {
  const client = await rawClient(port)
  cleanup.push(() => client.socket.destroy())
  return client
}

const lower = (text: string): string => text.toLowerCase()

describe('answers of the engine itself', () => {
  const routes = {
    backends: new Map([
      ['none', { endpoints: [], unavailable: 'no-ready-endpoints' }],
      ['dead', pods(1)],
    ]),
    hosts: new Map([
      ['', { paths: [] }],
      ['none.io', everything('none')],
      ['missing.io', everything('missing')],
      ['dead.io', everything('dead')],
    ]),
  }
  it.each([
    ['nowhere.io', 404, 'no-route'],
    ['none.io', 503, 'no-ready-endpoints'],
    ['missing.io', 503, 'no-endpoints'],
    ['dead.io', 502, 'upstream-refused'],
  ])('%s gets %d %s', async (host, status, reason) => {
    const { port } = await engineFor([], {}, { delta: routes })
    const client = await connect(port)
    client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    const answer = await client.until(/\n$/)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(lower(answer)).toContain(`x-fairway-reason: ${reason}\r\n`)
  })

  it('a HEAD request gets no body, and the connection goes on', async () => {
    const { port } = await engineFor([], {}, { delta: routes })
    const client = await connect(port)
    client.send('HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: none.io\r\n\r\n')
    expect(await client.until(/503 Service Unavailable: no-ready-endpoints\n$/)).not.toContain('404 Not Found: no-route')
  })

  it('a refused head closes the connection, and what follows is not read as a request', async () => {
    const { port, dataPlane } = await engineFor([], {}, { delta: routes })
    const client = await connect(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nGET / HTTP/1.1\r\nHost: none.io\r\n\r\n')
    const answer = await client.closed()
    expect(answer.match(/HTTP\/1.1 /g)).toHaveLength(1)
    expect(answer).toContain('Connection: close')
    expect(dataPlane.snapshot().failures).toEqual(new Map([['malformed-request', 1]]))
  })
})

describe('requests to pods', () => {
  it('carry the canonical path, our forwarding fields, and no hop-by-hop field', async () => {
    const pod = keep(await answeringPod(OK))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send(
      'GET /a/../b?q HTTP/1.1\r\nHost: Web.io\r\nConnection: keep-alive, X\r\nKeep-Alive: 5\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nTE: gzip\r\nAccept: */*\r\n\r\n',
    )
    expect(await client.until(/ok$/)).toBe(OK)
    const seen = pod.received[0] ?? ''
    expect(seen).toMatch(
      /^GET \/b\?q HTTP\/1.1\r\nHost: Web.io\r\nAccept: \*\/\*\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n/,
    )
    expect(seen).toMatch(/X-Forwarded-Host: Web.io\r\nX-Request-ID: [0-9a-f]{32}\r\n\r\n$/)
    expect(lower(seen)).not.toMatch(/6\.6\.6\.6|\r\n(?:connection|keep-alive|te|forwarded):/)
  })

  it('believe the forwarding fields of trusted proxies', async () => {
    const pod = keep(await answeringPod(OK))
    const { port } = await engineFor([pod.port], { trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] })
    const client = await connect(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n\r\n')
    await client.until(/ok$/)
    expect(pod.received[0]).toContain(
      'X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.1.1, 127.0.0.1\r\nX-Real-IP: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n',
    )
  })

  it.each([
    ['Content-Length: 5\r\n\r\nhello', 'Content-Length: 5\r\n\r\nhello'],
    [
      'Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n',
      'Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n',
    ],
  ])('carry a body however it is cut: %j', async (sent, expected) => {
    const request = `POST / HTTP/1.1\r\nHost: a\r\n${sent}`
    for (const size of [request.length, 7, 1]) {
      const pod = keep(await rawPod((socket, text) => void (text.endsWith(expected.slice(-5)) && socket.write(OK))))
      const { port } = await engineFor([pod.port])
      const client = await connect(port)
      for (let at = 0; at < request.length; at += size) client.send(request.slice(at, at + size))
      await client.until(/ok$/)
      const body = (text = ''): string => text.slice(text.indexOf('\r\n\r\n') + 4)
      const joined = (text: string): string => text.replace(/[0-9a-f]+\r\n([a-z]+)\r\n/g, '$1')
      expect(joined(body(pod.received[0]))).toBe(joined(body(expected)))
    }
  })

  it('are answered one after the other when they are pipelined', async () => {
    const pod = keep(await answeringPod((head) => `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${/ \/(..)/.exec(head)?.[1]}`))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    const names = Array.from({ length: 50 }, (_, i) => String(i + 10))
    client.send(names.map((name) => `GET /${name} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
    const text = await client.until(/59$/)
    expect([...text.matchAll(/\r\n\r\n(..)/g)].map(([, name]) => name)).toEqual(names)
    expect(pod.sockets).toHaveLength(1)
  })

  it('with Expect: 100-continue get it from the engine, once a pod is there', async () => {
    const pod = keep(await rawPod((socket, text) => void (text.endsWith('hello') && socket.write(OK))))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/)
    client.send('hello')
    expect(await client.until(/ok$/)).toBe(`HTTP/1.1 100 Continue\r\n\r\n${OK}`)
    expect(lower(pod.received[0] ?? '')).not.toContain('expect')
  })

  it('with a body above the limit get 413, by length and while it comes', async () => {
    const pod = keep(await rawPod(() => {}))
    const { port } = await engineFor([pod.port], { maxBodyBytes: 10 })
    const declared = await connect(port)
    declared.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n')
    expect(await declared.closed()).toMatch(/^HTTP\/1.1 413 /)
    const chunked = await connect(port)
    chunked.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n')
    expect(await chunked.closed()).toMatch(/^HTTP\/1.1 413 /)
  })

  it('with a malformed chunk get 400, and the pod’s connection is not used again', async () => {
    const pod = keep(await rawPod(() => {}))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await pod.accepted(1)
    const closed = new Promise((resolve) => pod.sockets[0]?.once('close', resolve).once('end', resolve))
    client.send('zz\r\n')
    expect(await client.closed()).toMatch(/^HTTP\/1.1 400 .*malformed-chunk/s)
    await closed
  })
})

describe('answers of pods', () => {
  const answered = async (answer: string, request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', until?: RegExp): Promise<string> => {
    const pod = keep(
      await rawPod((socket, text) => {
        if (!text.includes('\r\n\r\n')) return
        socket.write(answer, 'latin1')
        if (answer.includes('until-close')) socket.end()
      }),
    )
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send(request)
    return until ? client.until(until) : client.closed()
  }

  it.each<[string, string, RegExp]>([
    [
      'chunked',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
      /\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n$/,
    ],
    ['until close', 'HTTP/1.1 200 OK\r\n\r\nuntil-close', /\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nuntil-close\r\n0\r\n\r\n$/],
    [
      'of HTTP/1.0',
      'HTTP/1.0 200 OK\r\n\r\nuntil-close',
      /^HTTP\/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nuntil-close\r\n0\r\n\r\n$/,
    ],
    ['204', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nX: y\r\n\r\n', /^HTTP\/1.1 204 No Content\r\nX: y\r\n\r\n$/],
    [
      '304 with a length',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
      /^HTTP\/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n$/,
    ],
    ['without a phrase', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok', /^HTTP\/1.1 200 \r\nContent-Length: 2\r\n\r\nok$/],
    [
      'hop-by-hop',
      'HTTP/1.1 200 OK\r\nConnection: X-A\r\nX-A: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nX-B: 2\r\nContent-Length: 2\r\n\r\nok',
      /^HTTP\/1.1 200 OK\r\nX-B: 2\r\nContent-Length: 2\r\n\r\nok$/,
    ],
    [
      'interim',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      /^HTTP\/1.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1.1 200 OK\r\n/,
    ],
  ])('%s pass', async (_, answer, expected) => expect(await answered(answer, undefined, expected)).toMatch(expected))

  it.each<[string, string]>([
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['length and chunked', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
    ['an upgrade that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'],
    ['endless interim answers', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(50)],
    ['an endless head', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(40_000)}`],
  ])('%s become 502', async (_, answer) => {
    expect(await answered(answer, undefined, /invalid-response\n$/)).toMatch(/^HTTP\/1.1 502 Bad Gateway/)
  })

  it('that end too early reach the client as broken, never as complete', async () => {
    const pod = keep(await answeringPod('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal'))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/hal$/)
    pod.sockets[0]?.destroy()
    expect(await client.closed()).toMatch(/hal$/)
  })

  it('to HTTP/1.0 are never chunked', async () => {
    const text = await answered(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      'GET / HTTP/1.0\r\n\r\n',
    )
    expect(text).toBe('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok')
  })

  it('before the end of the request end both connections', async () => {
    const pod = keep(
      await rawPod(
        (socket, text) =>
          void (text.includes('\r\n\r\n') && socket.write('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')),
      ),
    )
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.closed()).toBe('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    expect(pod.sockets).toHaveLength(1)
  })
})

describe('pods that fail', () => {
  it('a refusing endpoint is skipped, also for POST: nothing was sent', async () => {
    const pod = keep(await answeringPod(OK))
    const { port, dataPlane } = await engineFor([1, pod.port])
    for (let i = 0; i < 4; i++) {
      const client = await connect(port)
      client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello')
      expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1.1 200/)
    }
    expect(dataPlane.stats.retries).toBeGreaterThan(0)
  })

  it('a connection that was closed while idle costs a GET nothing', async () => {
    const pod = keep(await answeringPod(OK))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/ok$/)
    // Closed without a word, so that the engine learns of it only when it writes.
    const [socket] = pod.sockets
    socket?.removeAllListeners('data')
    socket?.on('data', () => socket.resetAndDestroy())
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await client.until(/ok[\s\S]*ok$/)).match(/200 OK/g)).toHaveLength(2)
    expect(pod.sockets).toHaveLength(2)
  })

  it.each([
    ['POST', 'Content-Length: 2\r\n\r\nhi'],
    ['PUT', 'Content-Length: 2\r\n\r\nhi'],
    ['POST', '\r\n'],
  ])('but %s with %j is not repeated', async (method, rest) => {
    const pod = keep(await answeringPod(OK))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/ok$/)
    const [socket] = pod.sockets
    socket?.removeAllListeners('data')
    socket?.on('data', () => socket.resetAndDestroy())
    client.send(`${method} / HTTP/1.1\r\nHost: a\r\n${rest}`)
    expect(await client.until(/upstream-reset\n$/)).toContain('HTTP/1.1 502 Bad Gateway')
    expect(pod.sockets).toHaveLength(1)
  })

  it('bytes on an idle connection end it', async () => {
    const pod = keep(await answeringPod(OK))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until(/ok$/)
    const gone = new Promise((resolve) => pod.sockets[0]?.once('end', resolve).once('close', resolve))
    pod.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison')
    await gone
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.until(/ok[\s\S]*ok$/)).not.toContain('poison')
  })

  it('bytes after an answer are never another request’s answer', async () => {
    const pod = keep(await answeringPod(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`))
    const { port } = await engineFor([pod.port])
    const client = await connect(port)
    client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.until(/ok[\s\S]*ok$/)).not.toContain('poison')
    expect(pod.sockets).toHaveLength(2)
  })

  it('a pod that does not answer becomes 504', async () => {
    const pod = keep(await rawPod(() => {}))
    const { port } = await engineFor([pod.port], { responseTimeoutMs: 40 })
    const client = await connect(port)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.until(/\n$/)).toMatch(/^HTTP\/1.1 504 [\s\S]*upstream-response-timeout\n$/)
  })

  it('an endpoint that leaves serves its request to the end, and gets no other', async () => {
    const old = keep(await rawPod(() => {}))
    const next = keep(await answeringPod(OK))
    const { port, dataPlane } = await engineFor([old.port])
    const slow = await connect(port)
    slow.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await old.accepted(1)
    dataPlane.update({ backends: new Map([['pods', pods(next.port)]]) })
    const other = await connect(port)
    other.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await other.until(/ok$/)
    old.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate')
    await slow.until(/late$/)
    slow.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await slow.until(/late[\s\S]*ok$/)
    expect(old.sockets).toHaveLength(1)
  })

  it('endpoints take turns', async () => {
    const names = ['a', 'b', 'c']
    const each = await Promise.all(names.map((name) => answeringPod(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${name}`)))
    each.forEach(keep)
    const { port } = await engineFor(each.map((pod) => pod.port))
    const client = await connect(port)
    for (let i = 1; i <= 9; i++) {
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await client.until(new RegExp(`(?:HTTP[\\s\\S]*){${i}}\\r\\n\\r\\n.$`))
    }
    const order = [...client.text().matchAll(/\r\n\r\n(.)/g)].map(([, name]) => name)
    for (const name of names) expect(order.filter((seen) => seen === name)).toHaveLength(3)
  })

  it('the least busy endpoint is chosen when the backend asks for it', async () => {
    const busy = keep(await rawPod(() => {}))
    const idle = keep(await answeringPod(OK))
    const backend = { ...pods(busy.port, idle.port), balance: 'least-requests' as const }
    const { port } = await engineFor([], {}, { delta: { backends: new Map([['pods', backend]]), fallback: to('pods') } })
    const waiting = await Promise.all([1, 2].map(() => connect(port)))
    for (const client of waiting) client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await busy.accepted(1)
    await Promise.race(waiting.map((client) => client.until(/ok$/)))
    const client = await connect(port)
    for (let i = 1; i <= 5; i++) {
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await client.until(new RegExp(`(?:ok[\\s\\S]*){${i - 1}}ok$`))
    }
    expect(busy.sockets).toHaveLength(1)
  })
})
