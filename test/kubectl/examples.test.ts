import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { command, type Instance, isRoot, type Output, type Status, startInstance } from '../support/instance.ts'
import { kubectlPath } from './kubectl.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))
/** What `fairway ingress audit` reads; and what needs a cloud: `loadbalancer/providers/tencent/examples.test.ts` has one. */
const UNPROBED = new Set(['ingress-nginx', 'tke'])

/** What curl got: the JSON of the echo sample, or the text. */
interface Reply {
  readonly code: number
  readonly pod: string
  readonly body: string
}

/** Probes an example that is applied and whose Deployments are available. */
type Probe = (world: World) => Promise<void>

interface World {
  readonly instance: Instance
  kubectl(...args: readonly string[]): Promise<Output>
  /** GET through the Ingress with this Host. */
  ingress(host: string, path: string): Promise<Reply>
  get(url: string, ...args: readonly string[]): Promise<Reply>
  /** Where `address:port` is served: the port itself, or its substitute. */
  served(address: string, port: number): Promise<string>
  clusterIP(service: string, namespace?: string): Promise<string>
  dig(...args: readonly string[]): Promise<readonly string[]>
}

const PROBES: Readonly<Record<string, Probe>> = {
  'ingress-class-nginx': async ({ ingress }) => {
    expect((await ingress('www.ilinux.io', '/any/path')).pod).toMatch(/^myapp-/)
    expect((await ingress('other.ilinux.io', '/')).code).toBe(404)
  },
  'ingress-single-service': async ({ ingress }) => {
    expect((await ingress('whatever.example', '/x')).pod).toMatch(/^single-/)
  },
  'ingress-single-service-v1beta1': async ({ ingress, kubectl }) => {
    expect((await ingress('whatever.example', '/x')).pod).toMatch(/^single-old-/)
    const stored = await kubectl('get', 'ingress', 'single-service-old', '-o', 'jsonpath={.spec.defaultBackend.service.name}')
    expect(stored.stdout).toBe('my-svc-old')
  },
  'ingress-fanout': (world) => fanout(world, 'fanout.ilinux.io', 'fanout'),
  'ingress-fanout-v1beta1': (world) => fanout(world, 'fanout-old.ilinux.io', 'fanout-old'),
  'ingress-hosts': async ({ ingress }) => {
    expect((await ingress('web.ilinux.io', '/')).pod).toMatch(/^hosts-web-/)
    expect((await ingress('API.ilinux.io:80', '/')).pod).toMatch(/^hosts-api-/)
  },
  'ingress-tls': tls,
  'service-clusterip-affinity': async ({ get, served, clusterIP }) => {
    const url = `http://${await served(await clusterIP('sticky'), 80)}/`
    const pods = new Set<string>()
    for (let i = 0; i < 12; i++) pods.add((await get(url)).pod)
    expect([...pods]).toEqual([expect.stringMatching(/^sticky-/)])
  },
  'service-nodeport': async ({ get, instance, served, clusterIP }) => {
    for (const address of new Set([instance.status.nodeAddress, '127.0.0.1'])) {
      expect((await get(`http://${await served(address, 30080)}/`)).pod).toMatch(/^nodeport-/)
    }
    expect((await get(`http://${await served(await clusterIP('nodeport'), 80)}/`)).pod).toMatch(/^nodeport-/)
  },
  'service-externalname': async ({ dig }) => {
    expect(await dig('search.default.svc.cluster.local', 'CNAME')).toEqual(['www.example.com.'])
  },
  'service-headless': async ({ dig, kubectl, get }) => {
    const pods = await kubectl('get', 'pods', '-l', 'app=headless', '-o', 'jsonpath={.items[*].status.podIP}')
    const addresses = pods.stdout.split(' ').sort()
    expect(addresses).toHaveLength(2)
    expect([...(await dig('headless.default.svc.cluster.local', 'A'))].sort()).toEqual(addresses)
    expect((await get(`http://${addresses[0]}:8080/`)).pod).toMatch(/^headless-/)
  },
  shop: async (world) => {
    const { ingress, get, served, clusterIP, dig, instance } = world
    expect((await ingress('shop.localhost', '/')).code).toBe(200)
    expect((await ingress('shop.localhost', '/api/things')).pod).toMatch(/^api-/)
    expect((await get(`http://${await served(await clusterIP('api', 'shop'), 80)}/`)).pod).toMatch(/^api-/)
    expect((await get(`http://${await served(instance.status.nodeAddress, 30090)}/`)).pod).toMatch(/^api-/)
    expect(await dig('api-pods.shop.svc.cluster.local', 'A')).toHaveLength(3)
    expect(await dig('payments.shop.svc.cluster.local', 'CNAME')).toEqual(['payments.example.com.'])
    const https = new URL(instance.status.ingress.https)
    const secure = await get(
      `https://shop.localhost:${https.port}/api`,
      '--insecure',
      '--resolve',
      `shop.localhost:${https.port}:127.0.0.1`,
    )
    expect(secure.pod).toMatch(/^api-/)
  },
}

async function fanout({ ingress }: World, host: string, prefix: string): Promise<void> {
  expect((await ingress(host, '/web')).pod).toMatch(new RegExp(`^${prefix}-web-`))
  expect((await ingress(host, '/web/deeper')).pod).toMatch(new RegExp(`^${prefix}-web-`))
  expect((await ingress(host, '/api')).pod).toMatch(new RegExp(`^${prefix}-api-`))
  expect((await ingress(host, '/webbing')).code).toBe(404)
  expect((await ingress(host, '/')).code).toBe(404)
}

async function tls({ instance, get, kubectl }: World): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-tls-'))
  const { port } = new URL(instance.status.ingress.https)
  const url = `https://tls.ilinux.io:${port}/`
  const resolve = ['--resolve', `tls.ilinux.io:${port}:127.0.0.1`]
  try {
    const subject = ['-subj', '/CN=tls.ilinux.io', '-addext', 'subjectAltName=DNS:tls.ilinux.io']
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    await command('openssl', ['req', '-x509', ...key, ...subject, '-keyout', `${folder}/tls.key`, '-out', `${folder}/tls.crt`])
    expect((await get(url, ...resolve, '--cacert', `${folder}/tls.crt`)).code).toBe(0)
    expect((await get(url, ...resolve, '--insecure')).pod).toMatch(/^tls-app-/)
    await kubectl('create', 'secret', 'tls', 'ilinux-secret', `--cert=${folder}/tls.crt`, `--key=${folder}/tls.key`)
    await expect
      .poll(async () => (await get(url, ...resolve, '--cacert', `${folder}/tls.crt`)).pod, { timeout: 10_000 })
      .toMatch(/^tls-app-/)
    await kubectl('delete', 'secret', 'ilinux-secret')
  } finally {
    await rm(folder, { recursive: true })
  }
}

const variants = [
  { title: 'as an ordinary user', asUser: true, slot: 1 },
  ...(isRoot ? [{ title: 'as root, pods in network namespaces', asUser: false, slot: 0 }] : []),
]

describe.each(variants)('every example, $title', ({ asUser, slot }) => {
  let instance: Instance
  let world: World

  beforeAll(async () => {
    instance = await startInstance({ asUser, slot })
    world = await createWorld(instance, asUser)
  })

  afterAll(async () => {
    expect(await instance?.stop()).toBe(0)
  })

  it('has a probe', async () => {
    const entries = await readdir(EXAMPLES, { withFileTypes: true })
    const folders = entries.filter((entry) => entry.isDirectory() && !UNPROBED.has(entry.name))
    expect(folders.map((entry) => entry.name).sort()).toEqual(Object.keys(PROBES).sort())
  })

  it.each(Object.entries(PROBES))('%s: applied, probed, deleted, nothing left', async (name, probe) => {
    const { kubectl } = world
    const applied = await kubectl('apply', '-f', join(EXAMPLES, name))
    expect(applied).toMatchObject({ code: 0 })
    const namespace = name === 'shop' ? 'shop' : 'default'
    if (name !== 'service-externalname') {
      const waited = await kubectl('wait', '-n', namespace, '--for=condition=Available', 'deployment', '--all', '--timeout=60s')
      expect(waited).toMatchObject({ code: 0 })
    }
    await probe(world)
    expect((await kubectl('apply', '-f', join(EXAMPLES, name))).stdout).not.toMatch(/created/)
    const deleted = await kubectl('delete', '-f', join(EXAMPLES, name), '--ignore-not-found', '--timeout=60s')
    expect(deleted).toMatchObject({ code: 0 })
    await expect.poll(() => leftovers(kubectl), { timeout: 30_000 }).toEqual([])
  })
})

const firstUnprivilegedPort = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))

/** Everything in the namespaces of the examples that the cluster itself did not make. */
const leftovers = async (kubectl: World['kubectl']): Promise<readonly string[]> => {
  const kinds = 'pods,services,endpoints,endpointslices,ingresses,deployments,replicasets,secrets'
  const all = await Promise.all(['default', 'shop'].map((namespace) => kubectl('get', kinds, '-n', namespace, '-o', 'name')))
  const own = /^(service|endpoints|endpointslice\.discovery\.k8s\.io)\/kubernetes$/
  return all.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line !== '' && !own.test(line)))
}

const createWorld = async (instance: Instance, asUser: boolean): Promise<World> => {
  const needsSubstitute = (port: number): boolean => asUser && port < firstUnprivilegedPort
  const { status } = instance
  const path = await kubectlPath()
  const env = { ...process.env, KUBECONFIG: status.kubeconfig, HOME: instance.dataDir }
  const kubectl = (...args: readonly string[]): Promise<Output> => command(path, args, { env, timeout: 90_000 })
  const get = async (url: string, ...args: readonly string[]): Promise<Reply> => {
    const { stdout } = await command('curl', ['-sS', '-m', '10', '-w', '\n%{http_code}', ...args, url])
    const cut = stdout.lastIndexOf('\n')
    return { code: Number(stdout.slice(cut + 1)), body: stdout.slice(0, cut), pod: podOf(stdout.slice(0, cut)) }
  }
  const [address = '', port = ''] = status.dns.split(':')
  return {
    instance,
    kubectl,
    get,
    ingress: (host, path) => get(new URL(path, status.ingress.http).href, '-H', `Host: ${host}`),
    served: async (at, wanted) => {
      if (!needsSubstitute(wanted)) return `${at}:${wanted}`
      let port: number | undefined
      await expect
        .poll(
          async () => {
            const now: Status = JSON.parse((await instance.fairway('status', '-o', 'json')).stdout)
            port = now.substitutions.find((s) => s.address === at && s.port === wanted)?.substitute
            return port
          },
          { timeout: 10_000 },
        )
        .toBeDefined()
      return `${at}:${port}`
    },
    clusterIP: async (service, namespace = 'default') =>
      (await kubectl('get', 'service', service, '-n', namespace, '-o', 'jsonpath={.spec.clusterIP}')).stdout,
    dig: async (...args) =>
      (await command('dig', ['+short', '+tries=1', `@${address}`, '-p', port, ...args])).stdout
        .split('\n')
        .filter((line) => line !== ''),
  }
}

const podOf = (body: string): string => {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && 'pod' in value ? String(value.pod) : ''
  } catch {
    return ''
  }
}
