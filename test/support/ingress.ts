import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import { command, isRoot, type Output } from './instance.ts'
import { undo } from './proxy.ts'

const FAIRWAY = fileURLToPath(new URL('../../bin/fairway.js', import.meta.url))
const asNobody = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
/** Not the kubeconfig of whoever runs the tests. */
const ENV = { PATH: process.env['PATH'], HOME: '/nonexistent' }

export const CONTROLLER = 'example.com/standalone'

/** A `fairway ingress` in the foreground. */
export interface RunningIngress {
  readonly process: ChildProcess
  output(): string
  /** Resolves with the ports when it serves. */
  ready(): Promise<{ readonly http: number; readonly https: number }>
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export const startIngress = (args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningIngress => {
  const [file = '', ...rest] = [...asNobody, process.execPath, FAIRWAY, 'ingress', ...args]
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...ENV, ...env } })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const exited = once(child, 'exit')
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal)
    await exited
    return child.exitCode
  }
  undo.push(() => stop())
  const ready: RunningIngress['ready'] = async () => {
    await vi.waitUntil(() => /^ready\. .*$/m.test(text) || child.exitCode !== null, { timeout: 30_000 })
    const [, http, https] = /^ready\. http [0-9.]+:(\d+), https [0-9.]+:(\d+)$/m.exec(text) ?? []
    if (http === undefined || https === undefined) throw new Error(`the Ingress did not become ready:\n${text}`)
    return { http: Number(http), https: Number(https) }
  }
  return { process: child, output: () => text, ready, stop }
}

/** Runs `fairway ingress` to its end. */
export const runIngress = (args: readonly string[]): Promise<Output> => {
  const [file = '', ...rest] = [...asNobody, process.execPath, FAIRWAY, 'ingress', ...args]
  return command(file, rest, { env: ENV })
}

/** A pod that nobody runs: a server of the test. `/slow` answers when `release` is called. */
export interface TestPod {
  readonly address: string
  readonly port: number
  readonly waiting: number
  release(): void
}

export const startPod = async (name: string, address: string): Promise<TestPod> => {
  const held: (() => void)[] = []
  const server = createHttpServer((request, response) => {
    if (request.url === '/slow') held.push(() => response.end(`${name} slow`))
    else response.end(name)
  }).listen(0, address)
  await once(server, 'listening')
  undo.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return {
    address,
    port: (server.address() as AddressInfo).port,
    get waiting() {
      return held.length
    },
    release() {
      for (const answer of held.splice(0)) answer()
    },
  }
}

/** A Service whose endpoints are told by hand. */
export const serviceOf = (name: string, { address, port }: Pick<TestPod, 'address' | 'port'>): readonly object[] => [
  { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ name: 'http', port: 80, targetPort: port }] } },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port, protocol: 'TCP' }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  },
]

export const classOf = (name: string, controller = CONTROLLER): object => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name },
  spec: { controller },
})

export const ingressOf = (name: string, { className, host = `${name}.example`, to = 'web', secret }: IngressOf): object => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name },
  spec: {
    ingressClassName: className,
    rules: [
      { host, http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: to, port: { name: 'http' } } } }] } },
    ],
    ...(secret === undefined ? {} : { tls: [{ hosts: [host], secretName: secret }] }),
  },
})

interface IngressOf {
  readonly className: string
  readonly host?: string
  readonly to?: string
  readonly secret?: string
}
