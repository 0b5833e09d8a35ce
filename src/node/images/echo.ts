/**
 * The sample image `fairway/echo`: answers HTTP with a JSON description of who was asked and what came, echoes TCP and UDP.
 * Ports: `--http P`, `--tcp P`, `--udp P` (repeatable, or by env ECHO_HTTP, ECHO_TCP, ECHO_UDP as lists); without any, the container's declared ports: those
 * named `tcp…` echo TCP, other TCP ports speak HTTP, UDP ports echo UDP; without those, HTTP on 8080.
 * HTTP: `/healthz` and `/readyz` answer 200, or 503 after `/fail`, until `/ok` (`?which=healthz|readyz`); `/sleep?ms=N` answers late;
 * `/status/N` answers with that code; `/exit?code=N` ends the process; everything else is described.
 * After SIGTERM every answer says `Connection: close`, what is in flight is answered, and idle connections are closed by FIN; `--drain-ms N`: it goes on
 * accepting for so long before.
 */
import { createSocket } from 'node:dgram'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { hostname } from 'node:os'
import { createGracefulServer } from './graceful-server.ts'

interface Ports {
  readonly http: readonly number[]
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
}

const env = process.env
const host = env['POD_IP'] || '0.0.0.0'
const failing = new Set<string>()
const MAX_BODY = 1024 * 1024

const argument = (name: string): readonly string[] =>
  process.argv.flatMap((word, index) => {
    if (word.startsWith(`--${name}=`)) return [word.slice(name.length + 3)]
    return word === `--${name}` ? [process.argv[index + 1] ?? ''] : []
  })

const numbers = (name: string): readonly number[] =>
  [...argument(name), ...(env[`ECHO_${name.toUpperCase()}`] ?? '').split(',')].filter(Boolean).map((text) => {
    const port = Number(text)
    if (!Number.isInteger(port) || port < 0 || port > 65535) {
      console.error(`echo: --${name}: ${text} is no port`)
      process.exit(2)
    }
    return port
  })

/** FAIRWAY_PORTS holds the declared ports as `NUMBER/PROTOCOL/NAME`, separated by commas. */
const declaredPorts = (): Ports => {
  const entries = (env['FAIRWAY_PORTS'] ?? '')
    .split(',')
    .filter(Boolean)
    .map((entry) => entry.split('/'))
  const pick = (wanted: (protocol: string, name: string) => boolean): readonly number[] =>
    entries.filter(([, protocol = '', name = '']) => wanted(protocol, name)).map(([port]) => Number(port))
  const http = pick((protocol, name) => protocol === 'TCP' && !name.startsWith('tcp'))
  const tcp = pick((protocol, name) => protocol === 'TCP' && name.startsWith('tcp'))
  const udp = pick((protocol) => protocol === 'UDP')
  return http.length + tcp.length + udp.length === 0 ? { http: [8080], tcp: [], udp: [] } : { http, tcp, udp }
}

const ports = (): Ports => {
  const asked = { http: numbers('http'), tcp: numbers('tcp'), udp: numbers('udp') }
  return asked.http.length + asked.tcp.length + asked.udp.length === 0 ? declaredPorts() : asked
}

const answer = (response: ServerResponse, code: number, body: unknown): void => {
  const text = `${JSON.stringify(body, null, 2)}\n`
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text)
}

const describe = (request: IncomingMessage, body: string): unknown => ({
  pod: env['POD_NAME'] ?? hostname(),
  namespace: env['POD_NAMESPACE'] ?? '',
  node: env['NODE_NAME'] ?? '',
  podIP: env['POD_IP'] ?? '',
  image: env['FAIRWAY_IMAGE'] ?? '',
  client: `${request.socket.remoteAddress}:${request.socket.remotePort}`,
  server: `${request.socket.localAddress}:${request.socket.localPort}`,
  method: request.method,
  path: request.url,
  httpVersion: request.httpVersion,
  headers: request.headers,
  body,
})

const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size <= MAX_BODY) chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const toggles = (which: string | null): readonly string[] => (which === null ? ['healthz', 'readyz'] : [which])

const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const url = new URL(request.url ?? '/', 'http://pod')
  const [, first = '', second = ''] = url.pathname.split('/')
  const query = url.searchParams
  const body = await readBody(request)
  if (first === 'healthz' || first === 'readyz') {
    answer(response, failing.has(first) ? 503 : 200, { [first]: !failing.has(first) })
  } else if (first === 'fail' || first === 'ok') {
    for (const which of toggles(query.get('which'))) first === 'fail' ? failing.add(which) : failing.delete(which)
    answer(response, 200, { failing: [...failing] })
  } else if (first === 'sleep') {
    setTimeout(() => answer(response, 200, describe(request, body)), Number(query.get('ms') ?? 1000))
  } else if (first === 'status') {
    const code = Number(second)
    answer(response, code >= 200 && code <= 599 ? code : 400, describe(request, body))
  } else if (first === 'exit') {
    response.end(() => process.exit(Number(query.get('code') ?? 1)))
  } else answer(response, 200, describe(request, body))
}

const fail = (what: string, port: number) => (error: Error) => {
  console.error(`echo: ${what} ${host}:${port}: ${error.message}`)
  process.exit(1)
}

const listening = (what: string, port: number) => () => console.log(`echo: ${what} on ${host}:${port}`)

const { http, tcp, udp } = ports()
const httpServers = http.map((port) => {
  const graceful = createGracefulServer((request, response) => {
    handle(request, response).catch((error: Error) => response.destroy(error))
  })
  graceful.server.on('error', fail('http', port)).listen(port, host, listening('http', port))
  return graceful
})
const tcpServers = tcp.map((port) =>
  createTcpServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => socket.destroy()).pipe(socket))
    .on('error', fail('tcp', port))
    .listen(port, host, listening('tcp', port)),
)
const udpSockets = udp.map((port) => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (message, remote) => socket.send(message, remote.port, remote.address))
  return socket.on('error', fail('udp', port)).bind(port, host, listening('udp', port))
})

process.on('SIGTERM', () => {
  console.log('echo: SIGTERM, draining')
  for (const { leave } of httpServers) leave()
  setTimeout(
    () => {
      for (const { end } of httpServers) end()
      for (const server of tcpServers) server.close()
      for (const socket of udpSockets) socket.close()
    },
    Number(argument('drain-ms')[0] ?? env['ECHO_DRAIN_MS'] ?? 0),
  )
})
process.on('SIGINT', () => process.exit(130))
