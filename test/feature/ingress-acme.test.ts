import { X509Certificate } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { freePort, missingPebble, type Pebble, startPebble } from '../../src/ingress/acme/testing/index.ts'
import { type ApiFront, startApiFront } from '../support/api-front.ts'
import {
  CONTROLLER,
  classOf,
  ingressOf,
  type RunningIngress,
  runIngress,
  serviceOf,
  startIngress,
  startPod,
} from '../support/ingress.ts'
import { command, type Instance, newDataDir, startInstance } from '../support/instance.ts'
import { SOON, undo, undoAll } from '../support/proxy.ts'
import { allowingRule, attributesOf, type Grant, type Rule } from '../support/rbac.ts'

const CLASS = 'certified'
const [LEADER, FOLLOWER] = ['127.0.0.2', '127.0.0.3']
const LEASE_RUNS_OUT = { timeout: 80_000, interval: 500 }

const NAMESPACE = 'fairway-ingress'
const SHARED = 'fairway-ingress-acme'
/** Beside the one that the manifests name. */
const SECRETS = ['later', 'lost']

/** As far as the test reads it. */
interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly rules?: readonly Rule[]
}

/** What the manifests in `deploy/` allow. */
const grantsOf = async (): Promise<readonly Grant[]> => {
  const files = ['fairway-ingress.yaml', 'fairway-ingress-secrets.yaml', 'fairway-ingress-acme.yaml']
  const texts = await Promise.all(files.map((file) => readFile(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')))
  const manifests = texts.flatMap((text) => parseAllDocuments(text)).map((document) => document.toJS() as Manifest)
  const widened = (rule: Rule): Rule =>
    rule.resourceNames?.includes('shop-tls') ? { ...rule, resourceNames: ['shop-tls', ...SECRETS] } : rule
  return manifests
    .filter(({ kind, metadata }) => kind === 'Role' || (kind === 'ClusterRole' && metadata.name === 'fairway-ingress'))
    .map(({ metadata: { namespace }, rules = [] }) => ({
      ...(namespace === undefined ? {} : { namespace }),
      rules: rules.map(widened),
    }))
}

interface Replica {
  readonly ingress: RunningIngress
  readonly address: string
  readonly https: number
}

interface Listed {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> }
  readonly data?: Readonly<Record<string, string>>
}

if (missingPebble !== undefined) console.log(`certificates of fairway ingress are not tested: ${missingPebble}`)

describe.skipIf(missingPebble !== undefined)('certificates of fairway ingress from pebble', () => {
  let dataDir: string
  let instance: Instance
  let pebble: Pebble
  let httpPort: number
  let front: ApiFront
  let files: { readonly ca: string; readonly root: string }
  const refused = new Set<string>()
  const used = new Set<string>()

  const apply = async (...objects: readonly object[]): Promise<void> => {
    const file = join(dataDir, 'test.json')
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects.flat() }))
    const { code, stderr } = await instance.fairway('apply', '-f', file)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  const list = async (...args: readonly string[]): Promise<readonly Listed[]> =>
    JSON.parse((await instance.fairway('get', ...args, '-o', 'json')).stdout).items
  const shared = async (role: string): Promise<readonly Listed[]> => {
    const all = await list('secrets', '-n', SHARED)
    return all.filter(({ metadata }) => metadata.name.includes(`-acme-${role}`))
  }
  const secret = async (name: string): Promise<Listed | undefined> =>
    (await list('secrets')).find(({ metadata }) => metadata.name === name)
  const events = async (name: string): Promise<string> => {
    const found = (await list('events')) as readonly (Listed & {
      reason: string
      message: string
      involvedObject: { name: string }
    })[]
    return found
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ reason, message }) => `${reason}: ${message}`)
      .join('\n')
  }
  const site = (name: string, secretName = name): object => {
    const plain = ingressOf(name, { className: CLASS, secret: secretName })
    return { ...plain, metadata: { name, annotations: { 'kubernetes.io/tls-acme': 'true' } } }
  }
  const start = async (address: string): Promise<Replica> => {
    const args = [
      ...['--kubeconfig', front.kubeconfig, '--ingress-class', CLASS, '--controller-name', CONTROLLER],
      ...['--http', `${address}:${httpPort}`, '--https', `${address}:0`, '--workers', '2', '--health=', '--metrics='],
      ...['--acme-namespace', SHARED, '--log-level', 'debug'],
      ...['--acme-server', pebble.directory, '--acme-agree-tos', '--acme-email', 'us@example.com', '--acme-ca', files.ca],
    ]
    const ingress = startIngress(args, { POD_NAMESPACE: NAMESPACE })
    const { https } = await ingress.ready()
    return { ingress, address, https }
  }
  const leafIn = (pem: string): string =>
    new X509Certificate(pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/)?.[0] ?? '').fingerprint256
  const served = async ({ address, https }: Replica, host: string): Promise<string> => {
    const s_client = `openssl s_client -connect ${address}:${https} -servername ${host} -verify_hostname ${host} -CAfile ${files.root} -verify_return_error < /dev/null`
    const { code, stdout, stderr } = await command('sh', ['-c', s_client])
    return code === 0 ? leafIn(stdout) : stderr
  }
  const kept = async (name: string): Promise<string> =>
    leafIn(Buffer.from((await secret(name))?.data?.['tls.crt'] ?? '', 'base64').toString())

  beforeAll(async () => {
    dataDir = await newDataDir(true)
    undo.push(() => rm(dataDir, { recursive: true, force: true }))
    httpPort = await freePort()
    pebble = await startPebble({ httpPort })
    undo.push(() => pebble.close())
    files = { ca: join(dataDir, 'ca.pem'), root: join(dataDir, 'root.pem') }
    await writeFile(files.ca, pebble.ca)
    await writeFile(files.root, await pebble.root())
    const acme = ['--acme-server', pebble.directory, '--acme-agree-tos', '--acme-ca', files.ca]
    instance = await startInstance({ asUser: true, dataDir, slot: 74, args: ['--ingress-http', String(httpPort), ...acme] })
    undo.push(() => instance.stop())
    front = await startApiFront(join(dataDir, 'front.json'), () => instance.status.kubeconfig)
    undo.push(() => front.close())
    const grants = await grantsOf()
    front.forbids = (method, url) => {
      const attributes = attributesOf(method, url)
      const isAllowed = allowingRule(grants, attributes) !== undefined
      const { verb, group, resource, namespace, name } = attributes
      if (isAllowed) used.add(`${verb} ${resource} in ${namespace}`)
      else refused.add(`${verb} ${group}/${resource} ${namespace}/${name}`)
      return !isAllowed
    }
    const pod = await startPod('one', '127.245.74.1')
    await apply(
      ...[NAMESPACE, SHARED].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
      classOf(CLASS, CONTROLLER),
      ...serviceOf('web', pod),
    )
  })
  afterAll(undoAll)

  it('a leader that is killed in the middle of an order: the other, which answered, finishes it for the same account', {
    timeout: 120_000,
  }, async () => {
    const leader = await start(LEADER)
    await expect.poll(async () => leader.ingress.output(), SOON).toContain('this process leads')
    const follower = await start(FOLLOWER)
    pebble.names.points = FOLLOWER
    let killed: Promise<unknown> | undefined
    // The server looks up the host: the order is under way. It gets its answer when the leader is dead.
    pebble.names.onQuestion = async () => {
      killed ??= leader.ingress.stop('SIGKILL')
      await killed
    }
    await apply(site('shop', 'shop-tls'))
    await expect.poll(() => killed, SOON).toBeDefined()
    const [order] = await shared('order')
    const url = order?.metadata.annotations?.['fairway.dev/acme-order']
    expect(url).toContain('/my-order/')
    const accounts = pebble.log().split('accounts in memory').length
    expect(accounts).toBeGreaterThan(1)
    await expect.poll(() => secret('shop-tls'), LEASE_RUNS_OUT).toBeDefined()
    expect((await secret('shop-tls'))?.metadata.annotations?.['fairway.dev/acme-order']).toBe(url)
    expect(pebble.log().split('accounts in memory').length).toBe(accounts)
    expect(await shared('account')).toHaveLength(1)
    await expect.poll(() => shared('order'), SOON).toEqual([])
    await expect.poll(async () => (await shared('challenges'))[0]?.data ?? {}, SOON).toEqual({})
    await expect.poll(() => served(follower, 'shop.example'), SOON).toBe(await kept('shop-tls'))
    await expect
      .poll(() => events('shop'), SOON)
      .toMatch(/^CertificateIssued: Secret default\/shop-tls has a certificate for shop\.example until /m)
    expect(await events('shop')).not.toContain('CertificateFailed')
  })

  it('both replicas serve what is issued later, and the Secret goes with its Ingress', { timeout: 60_000 }, async () => {
    pebble.names.onQuestion = undefined
    const another = await start(LEADER)
    pebble.names.points = LEADER
    await apply(site('later'))
    await expect.poll(() => secret('later'), { timeout: 30_000 }).toBeDefined()
    await expect.poll(() => served(another, 'later.example'), SOON).toBe(await kept('later'))
    expect((await instance.fairway('delete', 'ingress', 'later')).code).toBe(0)
    await expect.poll(() => secret('later'), { timeout: 30_000 }).toBeUndefined()
    // Keys are nowhere but in Secrets.
    expect(another.ingress.output()).not.toContain('PRIVATE KEY')
  })

  it('what the server says of a challenge that was not answered is an Event', async () => {
    pebble.names.points = '127.0.0.9'
    await apply(site('lost'))
    await expect
      .poll(() => events('lost'), { timeout: 30_000 })
      .toMatch(/CertificateFailed: .*lost\.example: \w+: .*127\.0\.0\.9.*; tried again after /)
  })

  it('fairway up does the same', { timeout: 60_000 }, async () => {
    pebble.names.points = '127.0.0.1'
    const plain = ingressOf('up', { className: 'fairway', secret: 'up' })
    await apply({ ...plain, metadata: { name: 'up', annotations: { 'fairway.dev/acme': 'true' } } })
    await expect.poll(() => secret('up'), { timeout: 30_000 }).toBeDefined()
    const { port } = new URL(instance.status.ingress.https)
    const over = ['-sS', '--cacert', files.root, '--connect-to', `up.example:443:127.0.0.1:${port}`, 'https://up.example/']
    await expect.poll(async () => (await command('curl', over)).stdout, SOON).toBe('one')
  })

  it('with the rights of deploy/, of which each is used', () => {
    expect([...refused]).toEqual([])
    const rights = (verbs: readonly string[], namespace: string): readonly string[] =>
      verbs.map((verb) => `${verb} secrets in ${namespace}`)
    expect([...used]).toEqual(expect.arrayContaining([...rights(['get', 'list', 'watch', 'create', 'update', 'delete'], SHARED)]))
    expect([...used]).toEqual(expect.arrayContaining([...rights(['get', 'create'], 'default')]))
  })

  it.each([
    [['--acme-server', 'https://127.0.0.1:1/dir'], 2, '--acme-agree-tos'],
    [
      ['--acme-server', 'https://127.0.0.1:1/dir', '--acme-agree-tos', '--acme-ca', '/nonexistent/ca.pem'],
      1,
      '--acme-ca /nonexistent/ca.pem',
    ],
  ])('%j ends with one line', async (args, code, text) => {
    const ended = await runIngress(['--kubeconfig', instance.status.kubeconfig, ...args])
    expect(ended.code).toBe(code)
    expect(ended.stderr).toContain(text)
    expect(ended.stderr.trim().split('\n')).toHaveLength(1)
  })
})
