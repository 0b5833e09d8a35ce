import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { startTestCloud, type TestCloud } from '../../src/loadbalancer/providers/tencent/testing/cloud.ts'
import { type ApiFront, startApiFront } from '../support/api-front.ts'
import { serviceOf, startPod } from '../support/ingress.ts'
import { type Instance, newDataDir, startInstance } from '../support/instance.ts'
import { SOON, undo, undoAll } from '../support/proxy.ts'
import { allowingRule, attributesOf, type Grant, type Rule } from '../support/rbac.ts'

const SLOT = 93
const CLASS = 'fairway.dev/tencent'
const CLUSTER = 'cls-feature'
const NAMESPACE = 'fairway-loadbalancer'
const FAIRWAY = fileURLToPath(new URL('../../bin/fairway.js', import.meta.url))
const NEVER = new AbortController().signal
/** Longer than the lease of a leader that was killed. */
const AFTER_LEASE = { timeout: 45_000, interval: 100 }

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly namespace?: string }
  readonly rules?: readonly Rule[]
}

const grantsOfDeploy = async (): Promise<readonly Grant[]> => {
  const text = await readFile(new URL('../../deploy/fairway-loadbalancer-tencent.yaml', import.meta.url), 'utf8')
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

describe('fairway loadbalancer --provider tencent, with the rights of deploy/, against the emulator', () => {
  let cloud: TestCloud
  let dataDir: string
  let instance: Instance
  let front: ApiFront
  let replica: Replica
  const refused = new Set<string>()

  const start = async (): Promise<Replica> => {
    const own = [
      'loadbalancer',
      '--provider',
      'tencent',
      '--config',
      join(dataDir, 'config.yaml'),
      '--kubeconfig',
      front.kubeconfig,
    ]
    const rest = ['--cluster-id', CLUSTER, '--election-namespace', NAMESPACE, '--health', '', '--metrics', '']
    const env = { ...process.env, TENCENTCLOUD_SECRET_ID: 'AKIDexample', TENCENTCLOUD_SECRET_KEY: 'example-key' }
    const child = spawn(process.execPath, [FAIRWAY, ...own, ...rest], { stdio: ['ignore', 'pipe', 'pipe'], env })
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
  const balanced = (name: string, annotations: object, spec: object = {}): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, annotations },
    spec: { type: 'LoadBalancer', loadBalancerClass: CLASS, ports: [{ name: 'http', port: 8080 }], ...spec },
  })
  const serviceNamed = async (name: string) => JSON.parse((await instance.fairway('get', 'service', name, '-o', 'json')).stdout)
  const ingressOf = async (name: string) => (await serviceNamed(name)).status?.loadBalancer?.ingress?.[0]
  const listeners = async (): Promise<readonly string[]> => {
    const lines: string[] = []
    for (const { id } of await cloud.api.describeLoadBalancers({}, NEVER))
      for (const each of await cloud.api.describeListeners(id, NEVER))
        lines.push(
          [
            each.protocol,
            each.port,
            each.settings.scheduler,
            ...each.targets.map(({ id: of, port, weight }) => `${of}:${port}*${weight}`),
          ].join(' '),
        )
    return lines.sort()
  }

  beforeAll(async () => {
    cloud = await startTestCloud()
    undo.push(() => cloud.close())
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
      if (!isAllowed) refused.add(`${attributes.verb} ${attributes.group}/${attributes.resource}`)
      return !isAllowed
    }
    await writeFile(
      join(dataDir, 'config.yaml'),
      `region: ap-guangzhou\nendpoint: ${cloud.url}\nnodeTargets: address\ndrainSeconds: 1\nservesNoClass: false\n`,
    )
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
    replica = await start()
  })
  afterAll(undoAll)

  it('makes a load balancer whose targets are pods, and says where it is', async () => {
    const pod = await startPod('one', `127.245.${SLOT}.1`)
    const [service, ...slices] = serviceOf('web', pod)
    const { spec } = service as { readonly spec: object }
    const annotations = { 'service.cloud.tencent.com/direct-access': 'true' }
    await apply(
      {
        ...(balanced('web', annotations) as { readonly spec: object }),
        spec: { ...spec, type: 'LoadBalancer', loadBalancerClass: CLASS },
      },
      ...slices,
    )
    await expect.poll(() => ingressOf('web'), SOON).toMatchObject({ ip: expect.any(String), ipMode: 'VIP' })
    expect((await listeners()).join()).toContain(`${pod.address}:${pod.port}*10`)
    const ready = (await serviceNamed('web')).status.conditions.find(({ type }: { readonly type: string }) =>
      type.endsWith('/Ready'),
    )
    expect(ready).toMatchObject({ status: 'True' })
  })

  it('follows a TkeServiceConfig of the API server', async () => {
    const { metadata, spec } = await serviceNamed('web')
    const config = (scheduler: string): object => ({
      apiVersion: 'cloud.tencent.com/v1alpha1',
      kind: 'TkeServiceConfig',
      metadata: { name: 'c' },
      spec: { loadBalancer: { l4Listeners: [{ protocol: 'TCP', port: spec.ports[0].port, scheduler }] } },
    })
    await apply(config('LEAST_CONN'))
    const annotations = { ...metadata.annotations, 'service.cloud.tencent.com/tke-service-config': 'c' }
    await apply({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', annotations }, spec })
    await expect.poll(async () => (await listeners()).join(), SOON).toContain('LEAST_CONN')
    await apply(config('WRR'))
    await expect.poll(async () => (await listeners()).join(), SOON).toContain('WRR')
  })

  it('tells what is wrong as Event and condition, without a secret', async () => {
    await apply(balanced('wrong', { 'service.kubernetes.io/qcloud-loadbalancer-internal-subnetid': 'public' }))
    const condition = async () =>
      (await serviceNamed('wrong')).status?.conditions?.find(({ type }: { readonly type: string }) => type.endsWith('/Ready'))
    await expect.poll(condition, SOON).toMatchObject({ status: 'False', reason: 'AnnotationInvalid' })
    const events = async () => (await instance.fairway('get', 'events', '-A', '-o', 'json')).stdout
    await expect.poll(events, SOON).toContain('must be an id such as subnet-')
    expect(await events()).not.toMatch(/example-key|AKIDexample/)
    expect(await cloud.api.describeLoadBalancers({}, NEVER)).toHaveLength(1)
  })

  it('killed in the middle of making them, makes one for each Service and no more', async () => {
    await cloud.control('POST', '/faults', { kind: 'latency', action: 'CreateLoadBalancer', ms: 300 })
    const names = ['k1', 'k2', 'k3', 'k4']
    await apply(...names.map((name) => balanced(name, {})))
    await vi.waitUntil(async () => (await cloud.api.describeLoadBalancers({}, NEVER)).length > 1, SOON)
    await replica.end('SIGKILL')
    await cloud.control('DELETE', '/faults')
    replica = await start()
    for (const name of names) await expect.poll(() => ingressOf(name), AFTER_LEASE).toBeDefined()
    expect(await cloud.api.describeLoadBalancers({}, NEVER)).toHaveLength(1 + names.length)
  }, 90_000)

  it('takes everything away with its Services, and ends in order', async () => {
    for (const name of ['web', 'k1', 'k2', 'k3', 'k4', 'wrong'])
      expect((await instance.fairway('delete', 'service', name)).code).toBe(0)
    await expect.poll(() => cloud.api.describeLoadBalancers({}, NEVER), SOON).toEqual([])
    expect(replica.output()).not.toMatch(/example-key|AKIDexample/)
    expect(await replica.end('SIGTERM')).toBe(0)
    expect([...refused]).toEqual([])
  })
})
