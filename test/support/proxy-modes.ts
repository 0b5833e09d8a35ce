import { rm } from 'node:fs/promises'
import { expect, vi } from 'vitest'
import { errorMessage, realClock, silentLogger } from '../../src/base/index.ts'
import { realExec } from '../../src/host/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import { instanceTag } from '../../src/kernel/link/index.ts'
import { type Machine, openMachine } from '../../src/node/network/testing/machine.ts'
import { openBackend, PROXY_MODES, type ProxyMode } from '../../src/proxy/index.ts'
import { command, type Instance, inNamespace, isRoot, newDataDir, type Output, startInstance } from './instance.ts'

/** Every proxy mode under a whole instance, on a machine (network namespace) of its own, with a neighbour on its LAN. */

const libc = await loadLibc()
/** Why a mode cannot be tried on this machine; undefined when it can. */
export const refusal = async (mode: ProxyMode): Promise<string | undefined> => {
  if (!isRoot) return 'root is needed'
  const localAddresses = { ensure: async () => {}, release: async () => {} }
  const deps = { exec: realExec, serviceCIDRs: ['10.0.0.0/24'], localAddresses, clock: realClock, log: silentLogger }
  try {
    const opened = await openBackend(mode, 'missing' in libc ? deps : { ...deps, libc })
    return opened.mode === mode ? undefined : opened.reason
  } catch (error) {
    return errorMessage(error)
  }
}
export const MODES = await Promise.all(
  PROXY_MODES.filter((mode) => mode !== 'auto').map(async (mode) => ({ mode, reason: await refusal(mode) })),
)
export const available = MODES.filter(({ reason }) => reason === undefined).map(({ mode }) => mode)
/** Those of which several instances can run side by side. */
export const kernelModes = available.filter((mode) => mode !== 'userspace')

export const SOON = { timeout: 20_000, interval: 50 }
export const SLOT = 30
export const run = (namespace: string, ...argv: readonly string[]): Promise<Output> => {
  const [file = '', ...args] = inNamespace(namespace, argv)
  return command(file, args)
}
/** What the echo sample says; the code is 0 without an answer. */
export const get = async (namespace: string, url: string, ...args: readonly string[]) => {
  const { stdout } = await run(namespace, 'curl', '-sS', '-m', '5', '-w', '\n%{http_code}', ...args, url)
  const cut = stdout.lastIndexOf('\n')
  const code = Number(stdout.slice(cut + 1))
  const body: { readonly pod?: string; readonly client?: string } = code === 200 ? JSON.parse(stdout.slice(0, cut)) : {}
  return { code, pod: body.pod ?? '', client: (body.client ?? '').replace(/:\d+$/, '') }
}
const ASK_UDP = `const s = require('dgram').createSocket('udp4'); s.on('message', (m) => { console.log(String(m)); process.exit() })
  s.send('hello', Number(process.argv[2]), process.argv[1]); setTimeout(() => process.exit(), 1500)`
export const askUdp = async (namespace: string, address: string, port: number | string): Promise<string> =>
  (await run(namespace, process.execPath, '-e', ASK_UDP, address, String(port))).stdout.trim()

export const apply = async (instance: Instance, namespace: string, objects: readonly object[]): Promise<void> => {
  const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  const argv = [process.execPath, 'bin/fairway.js', 'apply', '-f', '-', '--data-dir', instance.dataDir] as const
  const [file, ...args] = inNamespace(namespace, argv)
  await realExec([file ?? '', ...args], { stdin: manifest })
}
const read = async <T>(instance: Instance, ...args: readonly string[]): Promise<T> =>
  JSON.parse((await instance.fairway('get', ...args, '-o', 'json')).stdout) as T
interface Pod {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly status?: {
    readonly podIP?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}
/** Addresses of the pods of an app, once all are ready. */
export const readyPods = async (instance: Instance, app: string, count: number): Promise<readonly string[]> => {
  const look = async (): Promise<readonly string[]> => {
    const { items } = await read<{ items: readonly Pod[] }>(instance, 'pods', '-l', `app=${app}`)
    const ready = items.filter(({ status }) =>
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    )
    expect(ready).toHaveLength(count)
    return ready.map(({ status }) => status?.podIP ?? '')
  }
  // Also called by hooks, where expect.poll may not be.
  return vi.waitFor(look, { timeout: 60_000, interval: 50 })
}
interface ServiceObject {
  readonly spec: { readonly clusterIP: string; readonly ports: readonly { readonly name?: string; readonly nodePort?: number }[] }
}
const known = new Map<string, ServiceObject>()
export const serviceOf = async (instance: Instance, name: string, ...args: readonly string[]): Promise<ServiceObject> => {
  const key = `${instance.dataDir} ${name}`
  const object = known.get(key) ?? (await read<ServiceObject>(instance, 'service', name, ...args))
  known.set(key, object)
  return object
}
export const addressOf = async (instance: Instance, name: string): Promise<string> =>
  (await serviceOf(instance, name)).spec.clusterIP
/** The network namespace of a pod: its name ends in the address' place in the /24 range. */
export const namespaceOf = (instance: Instance, address: string): string =>
  `${instanceTag(instance.dataDir)}-${Number(address.split('.')[3]).toString(36)}`

export const opened: (() => Promise<unknown>)[] = []
export const closeAll = async (): Promise<void> => {
  for (const close of opened.splice(0).reverse()) await close()
}
export const newMachine = async (options?: Parameters<typeof openMachine>[1]): Promise<Machine> => {
  const machine = await openMachine(`pm${process.pid}`, options)
  opened.push(machine.close)
  return machine
}
export const folder = async (): Promise<string> => {
  const dataDir = await newDataDir(false)
  opened.push(() => rm(dataDir, { recursive: true, force: true }))
  return dataDir
}
export const start = async (mode: string, options: { dataDir: string; namespace: string; slot?: number }): Promise<Instance> => {
  const instance = await startInstance({ slot: SLOT, ...options, args: ['--proxy-mode', mode] })
  opened.push(instance.stop)
  return instance
}
