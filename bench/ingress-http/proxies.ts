import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { silentLogger } from '../../src/base/index.ts'
import { createEngine, type Engine, type HostRoutes } from '../../src/l7/index.ts'

/** A proxy under test: one process that serves `port`. */
export interface ProxyProcess {
  readonly name: string
  readonly port: number
  readonly tlsPort?: number
  readonly pid: number
  stop(): Promise<void>
}

export const PROGRAMS = { nginx: 'nginx', haproxy: 'haproxy', caddy: 'caddy', wrk: 'wrk', h2load: 'h2load' } as const
export const HOST = 'bench.example.com'
export const BODY = 'x'.repeat(100)

/** Throws when one of Debian's programs that the benchmark drives is missing. */
export const requirePrograms = (): void => {
  const missing = Object.values(PROGRAMS).filter((name) => spawnSync('which', [name]).status !== 0)
  if (missing.length > 0)
    throw new Error(`${missing.join(', ')} missing; run: apt-get install nginx haproxy caddy wrk nghttp2-client`)
}

/** What all proxies forward to: nginx with small answers out of memory and one large file. */
export const startBackend = async (folder: string): Promise<ProxyProcess> => {
  const port = await freePort()
  mkdirSync(`${folder}/www`, { recursive: true })
  writeFileSync(`${folder}/www/1m`, Buffer.alloc(1_048_576, 'y'))
  const http = `access_log off; keepalive_requests 1000000000; sendfile on;
    server { listen 127.0.0.1:${port} backlog=4096; location = /1m { root ${folder}/www; } location / { return 200 "${BODY}"; } }`
  return startNginx({ folder, name: 'backend', port, http })
}

/** A self-signed P-256 certificate that all proxies serve; PEM texts and files. */
export interface BenchCertificate {
  readonly chain: string
  readonly key: string
  readonly chainFile: string
  readonly keyFile: string
  /** Chain and key in one file, for HAProxy. */
  readonly bothFile: string
}

export const makeCertificate = (folder: string): BenchCertificate => {
  const [chainFile, keyFile, bothFile] = [`${folder}/chain.pem`, `${folder}/key.pem`, `${folder}/both.pem`]
  const subject = ['-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST},DNS:localhost`]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const made = spawnSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', keyFile, '-out', chainFile], {
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`)
  const [chain, key] = [readFileSync(chainFile, 'latin1'), readFileSync(keyFile, 'latin1')]
  writeFileSync(bothFile, chain + key, { mode: 0o600 })
  return { chain, key, chainFile, keyFile, bothFile }
}

export const startNginxProxy = async (folder: string, backend: ProxyProcess, tls?: BenchCertificate): Promise<ProxyProcess> => {
  const port = await freePort()
  const tlsPort = await freePort()
  const secure = tls
    ? `listen 127.0.0.1:${tlsPort} ssl http2 backlog=4096; ssl_certificate ${tls.chainFile}; ssl_certificate_key ${tls.keyFile};
      ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:10m; http2_max_concurrent_streams 128; keepalive_timeout 75;`
    : ''
  const http = `access_log off; keepalive_requests 1000000000; proxy_buffering on; client_max_body_size 0;
    upstream pods { server 127.0.0.1:${backend.port}; keepalive 512; keepalive_requests 1000000000; }
    server { listen 127.0.0.1:${port} backlog=4096; ${secure} server_name ${HOST};
      location / { proxy_pass http://pods; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Request-ID $request_id; } }`
  return { ...(await startNginx({ folder, name: 'nginx', port, http })), tlsPort }
}

export const startHAProxy = async (folder: string, backend: ProxyProcess, tls?: BenchCertificate): Promise<ProxyProcess> => {
  const port = await freePort()
  const tlsPort = await freePort()
  const config = `${folder}/haproxy.cfg`
  writeFileSync(
    config,
    `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
${tls ? `  bind 127.0.0.1:${tlsPort} ssl crt ${tls.bothFile} alpn h2,http/1.1\n` : ''}  unique-id-format %{+X}o%ci%cp%Ts%rt
  unique-id-header X-Request-ID
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  use_backend pods if { req.hdr(host),field(1,:) -i ${HOST} }
backend pods
  server a 127.0.0.1:${backend.port}
`,
  )
  const child = spawn(PROGRAMS.haproxy, ['-db', '-f', config], { stdio: ['ignore', 'ignore', 'inherit'] })
  return { ...(await started('haproxy', port, child)), tlsPort }
}

/** On one processor, as the others have one worker. */
export const startCaddy = async (folder: string, backend: ProxyProcess, tls?: BenchCertificate): Promise<ProxyProcess> => {
  const port = await freePort()
  const tlsPort = await freePort()
  const proxy = `reverse_proxy 127.0.0.1:${backend.port} {
    header_up X-Real-IP {remote_host}
    header_up X-Forwarded-Port {http.request.port}
    header_up X-Request-ID {http.request.uuid}
  }`
  const config = `${folder}/Caddyfile`
  const secure = tls
    ? `https://${HOST}:${tlsPort}, https://localhost:${tlsPort} {\n  bind 127.0.0.1\n  tls ${tls.chainFile} ${tls.keyFile}\n  ${proxy}\n}\n`
    : ''
  writeFileSync(
    config,
    `{\n  admin off\n  auto_https off\n}\nhttp://${HOST}:${port} {\n  bind 127.0.0.1\n  ${proxy}\n}\n${secure}`,
  )
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, GOMAXPROCS: '1' }
  const child = spawn(PROGRAMS.caddy, ['run', '--adapter', 'caddyfile', '--config', config], { stdio: 'ignore', env })
  return { ...(await started('caddy', port, child)), tlsPort }
}

export interface FairwayOptions {
  readonly hosts?: number
  readonly workers?: number
  readonly tls?: BenchCertificate
}

/** An engine in worker processes, and how to change its table while it serves. */
export interface FairwayProcess extends ProxyProcess {
  readonly engine: Engine
  readonly pids: readonly number[]
}

export const startFairway = async (backend: ProxyProcess, options: FairwayOptions = {}): Promise<FairwayProcess> => {
  const { hosts = 1, workers = 1, tls } = options
  const stop = new AbortController()
  const listen = { address: '127.0.0.1', port: 0 }
  const engine = createEngine({ http: listen, ...(tls && { https: listen }), workers, log: silentLogger })
  const names = [HOST, ...Array.from({ length: hosts - 1 }, (_, i) => hostName(i))]
  await engine.update({
    backends: new Map([['pods', { endpoints: [{ address: '127.0.0.1', port: backend.port }] }]]),
    hosts: new Map(names.map((name) => [name, routesTo('pods')])),
    ...(tls && { certificates: new Map([['bench', tls]]), tlsHosts: new Map(['', HOST].map((name) => [name, 'bench'])) }),
  })
  const running = await engine.start(stop.signal)
  const [pid = 0] = running.workers
  const end = async (): Promise<void> => {
    stop.abort()
    await running.stopped
  }
  const name = ['fairway', ...(hosts === 1 ? [] : [`${hosts} hosts`]), ...(workers === 1 ? [] : [`${workers} workers`])].join(
    ', ',
  )
  return { name, port: running.http ?? 0, tlsPort: running.https ?? 0, pid, pids: running.workers, engine, stop: end }
}

export const hostName = (i: number): string => `h${i}.example.com`

/** Five paths to one backend. */
export const routesTo = (backend: string): HostRoutes => ({
  paths: ['/', '/a', '/b', '/c', '/d'].map((path) => ({ match: 'prefix', path, target: { backend, labels: {} } })),
})

const startNginx = async (options: {
  readonly folder: string
  readonly name: string
  readonly port: number
  readonly http: string
}): Promise<ProxyProcess> => {
  const { folder, name, port, http } = options
  const config = `${folder}/${name}.conf`
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${name}-${kind};`,
  )
  // One process, so that its processor time is the proxy's.
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${folder}/${name}.pid; error_log stderr error; worker_rlimit_nofile 8192;
events { worker_connections 4096; multi_accept on; }
http { ${temporary.join(' ')} ${http} }
`,
  )
  return started(name, port, spawn(PROGRAMS.nginx, ['-c', config, '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'inherit'] }))
}

const started = async (name: string, port: number, child: ChildProcess): Promise<ProxyProcess> => {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const failed = exited.then(() => {
    throw new Error(`${name} ended at its start`)
  })
  await Promise.race([untilListening(port), failed])
  failed.catch(() => {})
  return {
    name,
    port,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })

const untilListening = async (port: number): Promise<void> => {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (await canConnect(port)) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`nothing listens on port ${port}`)
}

const canConnect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
