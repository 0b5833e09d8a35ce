import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type ApiFront, startApiFront } from '../support/api-front.ts'
import { serviceOf, startPod } from '../support/ingress.ts'
import { command, type Instance, newDataDir, startInstance } from '../support/instance.ts'
import { curl, freePort, SOON, undo, undoAll } from '../support/proxy.ts'
import { allowingRule, attributesOf, type Grant, type Rule } from '../support/rbac.ts'

const SLOT = 98
const CLASS = 'example.com/standalone'
const NAMESPACE = 'fairway-loadbalancer'
const FAIRWAY = fileURLToPath(new URL('../../bin/fairway.js', import.meta.url))
/** Longer than the lease of a leader that was killed. */
const AFTER_LEASE = { timeout: 40_000, interval: 100 }

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly namespace?: string }
  readonly rules?: readonly Rule[]
}

const grantsOfDeploy = async (): Promise<readonly Grant[]> => {
  const text = await readFile(new URL('../../deploy/fairway-loadbalancer.yaml', import.meta.url), 'utf8')
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest)
    .filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')
    .map(({ metadata: { namespace }, rules = [] }) => ({ ...(namespace === undefined ? {} : { namespace }), rules }))
}

interface Replica {
  readonly process: ChildProcess
  output(): string
  end(signal: NodeJS.Signals): Promise<number | null>
}

describe('fairway loadbalancer, beside an API server of another process', () => {
  let dataDir: string
  let instance: Instance
  let front: ApiFront
  let config: string
  let metrics: number
  let replica: Replica
  const refused = new Set<string>()
  const used = new Set<string>()

  const start = async (...args: readonly string[]): Promise<Replica> => {
    const own = ['loadbalancer', '--provider', 'local', '--config', config, '--kubeconfig', front.kubeconfig]
    const rest = ['--election-namespace', NAMESPACE, '--health', '', ...args]
    const child = spawn(process.execPath, [FAIRWAY, ...own, ...rest], { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const exited = once(child, 'exit')
    const end = async (signal: NodeJS.Signals): Promise<number | null> => {
      child.kill(signal)
      await exited
      return child.exitCode
    }
    undo.push(() => (child.exitCode === null && child.signalCode === null ? end('SIGKILL') : Promise.resolve()))
    await vi.waitUntil(() => /^ready\. /m.test(text) || child.exitCode !== null, { timeout: 30_000 })
    return { process: child, output: () => text, end }
  }
  const apply = async (...objects: readonly object[]): Promise<void> => {
    const file = join(dataDir, 'test.json')
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.flat() }))
    const { code, stderr } = await instance.fairway('apply', '-f', file)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  const balanced = (name: string, loadBalancerClass: string | undefined = CLASS): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { type: 'LoadBalancer', loadBalancerClass, ports: [{ name: 'http', port: 8080 }] },
  })
  const serviceNamed = async (name: string) => JSON.parse((await instance.fairway('get', 'service', name, '-o', 'json')).stdout)
  const addressOf = async (name: string): Promise<string | undefined> =>
    (await serviceNamed(name)).status?.loadBalancer?.ingress?.[0]?.ip

  beforeAll(async () => {
    const grants = await grantsOfDeploy()
    dataDir = await newDataDir(true)
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    instance = await startInstance({ asUser: true, dataDir, slot: SLOT })
    undo.push(() => instance.stop())
    front = await startApiFront(join(dataDir, 'front.json'), () => instance.status.kubeconfig)
    undo.push(() => front.close())
    front.forbids = (method, url) => {
      const attributes = attributesOf(method, url)
      const isAllowed = allowingRule(grants, attributes) !== undefined
      ;(isAllowed ? used : refused).add(`${attributes.verb} ${attributes.group}/${attributes.resource}`)
      return !isAllowed
    }
    config = join(dataDir, 'config.yaml')
    const pool = `{name: p, addresses: [127.95.${SLOT + 1}.8-127.95.${SLOT + 1}.9]}`
    await writeFile(config, `class: ${CLASS}\ndefault: false\npools: [${pool}]\n`)
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
    metrics = await freePort()
    replica = await start('--metrics', `127.0.0.1:${metrics}`)
  })
  afterAll(undoAll)

  it('gives Services of its class an address, at which the proxy carries them, and leaves others alone', async () => {
    const pod = await startPod('one', `127.245.${SLOT}.1`)
    const [service, ...slices] = serviceOf('web', pod)
    const { spec } = service as { readonly spec: object }
    await apply(
      { ...service, spec: { ...spec, type: 'LoadBalancer', loadBalancerClass: CLASS } },
      ...slices,
      balanced('other', 'example.com/other'),
    )
    await expect.poll(() => addressOf('web'), SOON).toBe(`127.95.${SLOT + 1}.8`)
    const { ports } = (await serviceNamed('web')).spec
    const served = await vi.waitUntil(async () => {
      const { substitutions } = JSON.parse((await instance.fairway('status', '-o', 'json')).stdout)
      const port = ports[0].port
      const at = substitutions.find(
        (each: { address: string; port: number }) => each.address === `127.95.${SLOT + 1}.8` && each.port === port,
      )
      return port >= 1024 ? port : at?.substitute
    }, SOON)
    await expect.poll(async () => (await curl(`http://127.95.${SLOT + 1}.8:${served}/`)).code, SOON).toBe(200)
    expect((await serviceNamed('other')).metadata.finalizers).toBeUndefined()
  })

  it('tells what it did in /metrics', async () => {
    const { text } = await curl(`http://127.0.0.1:${metrics}/metrics`)
    expect(text).toMatch(
      /fairway_loadbalancer_provider_calls_total\{provider="local\/example.com\/standalone",action="ensure",result="success"\} [1-9]/,
    )
    expect(text).toContain('fairway_loadbalancer_load_balancers 1')
  })

  it('is followed by another replica when it is killed, which keeps what was given', async () => {
    const second = await start('--metrics', '')
    await replica.end('SIGKILL')
    await apply(balanced('next'))
    await expect.poll(() => addressOf('next'), AFTER_LEASE).toBe(`127.95.${SLOT + 1}.9`)
    expect(await addressOf('web')).toBe(`127.95.${SLOT + 1}.8`)
    await instance.fairway('delete', 'service', 'web')
    await apply(balanced('third'))
    await expect.poll(() => addressOf('third'), SOON).toBe(`127.95.${SLOT + 1}.8`)
    expect(await second.end('SIGTERM')).toBe(0)
  })

  it('needs no more rights than those of deploy/', () => {
    expect([...refused]).toEqual([])
    expect([...used].sort()).toEqual([
      'create /events',
      'create coordination.k8s.io/leases',
      'get coordination.k8s.io/leases',
      'list /services',
      'patch /services',
      'patch /services/status',
      'update coordination.k8s.io/leases',
      'watch /nodes',
      'watch /services',
      'watch discovery.k8s.io/endpointslices',
    ])
  })

  it.each([
    ['no provider', [], 2, '--provider is needed'],
    ['no configuration', ['--provider', 'local'], 2, 'pools: name at least one pool'],
    ['a file that is not there', ['--provider', 'local', '--config', '/nonexistent'], 2, "can't be read"],
    ['no API server', ['--provider', 'local', '--config', 'CONFIG'], 1, 'no API server'],
  ])('ends in one line with %s', async (_, args, code, expected) => {
    const argv = [FAIRWAY, 'loadbalancer', ...args.map((arg) => (arg === 'CONFIG' ? config : arg))]
    const result = await command(process.execPath, argv, { env: { PATH: process.env['PATH'], HOME: '/nonexistent' } })
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr.trim().split('\n')).toHaveLength(1)
    expect(result.stderr).toContain(expected)
  })
})
