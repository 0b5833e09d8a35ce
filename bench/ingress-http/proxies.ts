import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { silentLogger } from '../../src/base/index.ts'
import { createEngine } from '../../src/l7/index.ts'

/** A proxy under test: one process that serves `port`. */
export interface ProxyProcess {
  readonly name: string
  readonly port: number
  readonly tlsPort?: number
  readonly pid: number
  stop(): Promise<void>
}

export const PROGRAMS = { nginx: 'nginx', haproxy: 'haproxy', wrk: 'wrk' } as const
export const HOST = 'bench.example.com'
export const BODY = 'x'.repeat(100)

/** Throws when one of Debian's programs that the benchmark drives is missing. */
export const requirePrograms = (): void => {
  const missing = Object.values(PROGRAMS).filter((name) => spawnSync('which', [name]).status !== 0)
  if (missing.length > 0) throw new Error(`ingress-http: ${missing.join(', ')} missing; run: apt-get install nginx haproxy wrk`)
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

export const startNginxProxy = async (folder: string, backend: ProxyProcess): Promise<ProxyProcess> => {
  const port = await freePort()
  const http = `access_log off; keepalive_requests 1000000000; proxy_buffering on; client_max_body_size 0;
    upstream pods { server 127.0.0.1:${backend.port}; keepalive 512; keepalive_requests 1000000000; }
    server { listen 127.0.0.1:${port} backlog=4096; server_name ${HOST};
      location / { proxy_pass http://pods; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Request-ID $request_id; } }`
  return startNginx({ folder, name: 'nginx', port, http })
}

export const startHAProxy = async (folder: string, backend: ProxyProcess): Promise<ProxyProcess> => {
  const port = await freePort()
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
  unique-id-format %{+X}o%ci%cp%Ts%rt
  unique-id-header X-Request-ID
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  use_backend pods if { hdr(host) -i ${HOST} }
backend pods
  server a 127.0.0.1:${backend.port}
`,
  )
  return started('haproxy', port, spawn(PROGRAMS.haproxy, ['-db', '-f', config], { stdio: ['ignore', 'ignore', 'inherit'] }))
}

export const startFairway = async (backend: ProxyProcess, hosts = 1): Promise<ProxyProcess> => {
  const stop = new AbortController()
  const engine = createEngine({ http: { address: '127.0.0.1', port: 0 }, workers: 1, log: silentLogger })
  const target = { backend: 'pods', labels: {} }
  const paths = ['/', '/a', '/b', '/c', '/d'].map((path) => ({ match: 'prefix' as const, path, target }))
  const names = [HOST, ...Array.from({ length: hosts - 1 }, (_, i) => `h${i}.example.com`)]
  await engine.update({
    backends: new Map([['pods', { endpoints: [{ address: '127.0.0.1', port: backend.port }] }]]),
    hosts: new Map(names.map((name) => [name, { paths }])),
  })
  const running = await engine.start(stop.signal)
  const [pid = 0] = running.workers
  const end = async (): Promise<void> => {
    stop.abort()
    await running.stopped
  }
  return { name: hosts === 1 ? 'fairway' : `fairway, ${hosts} hosts`, port: running.http ?? 0, pid, stop: end }
}

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
