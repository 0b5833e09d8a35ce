import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { certificateFor } from '../../src/l7/testing/certificates.ts'
import { type ApiFront, startApiFront } from '../support/api-front.ts'
import { CONTROLLER, ingressOf, type RunningIngress, serviceOf, startIngress, startPod } from '../support/ingress.ts'
import { command, type Instance, newDataDir, startInstance } from '../support/instance.ts'
import { freePort, SOON, undo, undoAll } from '../support/proxy.ts'
import { allowingRule, attributesOf, type Grant, type Rule } from '../support/rbac.ts'

/** As far as the test reads it. */
interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly rules?: readonly Rule[]
  readonly spec?: {
    readonly template: { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } }
  }
}

const read = async (file: string): Promise<readonly Manifest[]> => {
  const text = await readFile(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest)
}

const CLASS = 'standalone'
const NAMESPACE = 'fairway-ingress'

describe('fairway ingress with the rights of deploy/', () => {
  let dataDir: string
  let instance: Instance
  let front: ApiFront
  let ingress: RunningIngress
  let start: () => Promise<RunningIngress>
  let ports: { readonly http: number; readonly https: number }
  let grants: readonly Grant[]
  /** Of the published Service, which has no load balancer here. */
  let clusterIP: string
  const refused = new Set<string>()
  const used = new Set<string>()
  /** `verb group/resource name?` of every right that is granted. */
  const rights = (): readonly string[] =>
    grants.flatMap(({ rules }) =>
      rules.flatMap(({ apiGroups, resources, verbs }) =>
        apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`))),
      ),
    )

  const apply = async (...objects: readonly object[]): Promise<void> => {
    const file = join(dataDir, 'test.json')
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.flat() }))
    const { code, stderr } = await instance.fairway('apply', '-f', file)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  const addresses = async (): Promise<unknown> =>
    JSON.parse((await instance.fairway('get', 'ingress', 'shop', '-o', 'json')).stdout).status?.loadBalancer?.ingress
  const replicas = (...podAddresses: readonly string[]): object => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'front', namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': 'fairway-ingress' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: podAddresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  })

  beforeAll(async () => {
    const manifests = await read('fairway-ingress.yaml')
    const secrets = await read('fairway-ingress-secrets.yaml')
    const granted = [
      ...manifests.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role'),
      ...secrets.filter(({ kind }) => kind === 'Role'),
    ]
    grants = granted.map(({ metadata: { namespace }, rules = [] }) => ({
      ...(namespace === undefined ? {} : { namespace }),
      rules,
    }))
    dataDir = await newDataDir(true)
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    instance = await startInstance({ asUser: true, dataDir, slot: 72 })
    undo.push(() => instance.stop())
    front = await startApiFront(join(dataDir, 'front.json'), () => instance.status.kubeconfig)
    undo.push(() => front.close())
    front.forbids = (method, url) => {
      const attributes = attributesOf(method, url)
      const isAllowed = allowingRule(grants, attributes) !== undefined
      const { verb, group, resource } = attributes
      ;(isAllowed ? used : refused).add(`${verb} ${group}/${resource}`)
      return !isAllowed
    }
    const pod = await startPod('one', '127.245.72.1')
    const { chain, key } = await certificateFor('shop.example')
    const encode = (text: string): string => Buffer.from(text).toString('base64')
    const data = { 'tls.crt': encode(chain), 'tls.key': encode(key) }
    const known = ['Namespace', 'ConfigMap']
    const [ingressClass] = manifests.filter(({ kind }) => kind === 'IngressClass')
    await apply(
      ...manifests.filter(({ kind }) => known.includes(kind)),
      // The instance has a class of that name already.
      { ...ingressClass, metadata: { name: CLASS }, spec: { ...ingressClass?.spec, controller: CONTROLLER } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'fairway-ingress', namespace: NAMESPACE },
        spec: { ports: [{ name: 'http', port: 80 }] },
      },
      replicas('10.0.0.1', '10.0.0.2'),
      ...serviceOf('web', pod),
      { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name: 'shop-tls' }, data },
      ingressOf('shop', { className: CLASS, secret: 'shop-tls' }),
      ingressOf('other', { className: CLASS, secret: 'not-granted' }),
    )
    const { stdout } = await instance.fairway('get', 'service', 'fairway-ingress', '-n', NAMESPACE, '-o', 'json')
    clusterIP = JSON.parse(stdout).spec.clusterIP
    const [{ spec: deployment } = { spec: undefined }] = manifests.filter(({ kind }) => kind === 'Deployment')
    const args = deployment?.template.spec.containers[0]?.args.slice(1) ?? []
    const replaced = /^--(http|https|health|metrics|ingress-class|shutdown-delay)=/
    start = async () => {
      const own = [
        ...['--kubeconfig', front.kubeconfig, '--ingress-class', CLASS, '--controller-name', CONTROLLER],
        ...['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--workers', '1'],
        ...['--health', `127.0.0.1:${await freePort()}`, '--metrics', `127.0.0.1:${await freePort()}`],
      ]
      const env = { POD_NAMESPACE: NAMESPACE, POD_IP: '10.0.0.1' }
      return startIngress([...args.filter((arg) => !replaced.test(arg)), ...own], env)
    }
    ingress = await start()
    ports = await ingress.ready()
  })
  afterAll(undoAll)

  it('serves http and https', async () => {
    const over = ['-sk', '-m', '5', '--connect-to', `shop.example:443:127.0.0.1:${ports.https}`, 'https://shop.example/']
    expect((await command('curl', over)).stdout).toBe('one')
    const { stderr } = await command('curl', ['-v', ...over])
    expect(stderr).toContain('subject: CN=shop.example')
  })

  it('publishes the addresses of its Service', async () => {
    await expect.poll(addresses, SOON).toEqual([{ ip: clusterIP }])
  })

  it('asks for nothing that is not granted but the Secret of an Ingress that nobody gave', async () => {
    await expect
      .poll(async () => (await instance.fairway('get', 'events', '-o', 'yaml')).stdout, SOON)
      .toContain('SecretForbidden')
    expect([...refused]).toEqual(['watch /secrets'])
    const asked = front.requests.filter((line) => line.includes('/secrets'))
    for (const line of asked) expect(line).toMatch(/fieldSelector=metadata\.name=(shop-tls|not-granted)(&|$)/)
  })

  it('keeps the address at its stop while another replica is ready', async () => {
    expect(await ingress.stop()).toBe(0)
    expect(await addresses()).toEqual([{ ip: clusterIP }])
  })

  it('takes it out when it is the last', async () => {
    await apply(replicas('10.0.0.1'))
    const last = await start()
    await last.ready()
    // The lease was given back: it leads, and so may write, at once.
    await vi.waitUntil(() => last.output().includes('this process leads'), SOON)
    expect(await last.stop()).toBe(0)
    expect(await addresses()).toBeUndefined()
  })

  it('used every right, but those of servers that stream no first state, and of repeated Events', () => {
    const forOthers = /^list (?!networking\.k8s\.io\/ingresses$)|^patch \/events$/
    const unused = rights().filter((right) => !used.has(right) && !forOthers.test(right))
    expect(unused).toEqual([])
  })
})
