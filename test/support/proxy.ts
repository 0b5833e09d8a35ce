import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import { command, isRoot, type Output } from './instance.ts'

const FAIRWAY = fileURLToPath(new URL('../../bin/fairway.js', import.meta.url))
const NOBODY = '65534'
const asNobody = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []

/** Could not connect, curl(1). */
export const CURL_REFUSED = 7
export const SOON = { timeout: 20_000, interval: 50 }

export const undo: (() => Promise<unknown>)[] = []
export const undoAll = async (): Promise<void> => {
  for (const step of undo.splice(0).reverse()) await step()
}

/** A `fairway proxy` in the foreground. */
export interface RunningProxy {
  readonly process: ChildProcess
  output(): string
  /** Resolves with the line that says that it carries everything. */
  ready(): Promise<string>
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export const startProxy = (args: readonly string[], prefix: readonly string[] = asNobody): RunningProxy => {
  const [file = '', ...rest] = [...prefix, process.execPath, FAIRWAY, 'proxy', ...args]
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const exited = once(child, 'exit')
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal)
    await exited
    return child.exitCode
  }
  undo.push(() => stop())
  const ready = async (): Promise<string> => {
    await vi.waitUntil(() => /^ready\. .*$/m.test(text) || child.exitCode !== null, { timeout: 30_000 })
    const [line] = /^ready\. .*$/m.exec(text) ?? []
    if (line === undefined) throw new Error(`the proxy did not become ready:\n${text}`)
    return line
  }
  return { process: child, output: () => text, ready, stop }
}

/** Runs `fairway proxy` to its end. */
export const runProxy = (args: readonly string[], prefix: readonly string[] = asNobody): Promise<Output> => {
  const [file = '', ...rest] = [...prefix, process.execPath, FAIRWAY, 'proxy', ...args]
  // Not the kubeconfig of whoever runs the tests.
  return command(file, rest, { env: { PATH: process.env['PATH'], HOME: '/nonexistent' } })
}

export const curl = async (
  url: string,
  prefix: readonly string[] = [],
): Promise<{ readonly code: number; readonly text: string }> => {
  const [file = '', ...rest] = [...prefix, 'curl', '-sS', '-m', '5', '-w', '\n%{http_code}', url]
  const { stdout } = await command(file, rest)
  const cut = stdout.lastIndexOf('\n')
  return { code: Number(stdout.slice(cut + 1)), text: stdout.slice(0, cut) }
}

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A Service whose endpoints are told by hand. */
export const manifests = (nodePort: number, port: number, addresses: readonly string[]): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { type: 'NodePort', ports: [{ name: 'http', port: 8080, targetPort: port, nodePort }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        ports: [{ name: 'http', port, protocol: 'TCP' }],
        endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
      },
    ],
  })
