import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { expect } from 'vitest'
import { createKubectl, type Kubectl } from '../kubectl/kubectl.ts'
import { command, type Instance, type InstanceOptions, isRoot, newDataDir, type Status, startInstance } from './instance.ts'

/** What the echo sample says of a request. */
export interface Echo {
  readonly code: number
  readonly pod: string
  readonly client: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A running instance with kubectl and clients. */
export interface World {
  readonly instance: Instance
  readonly kubectl: Kubectl
  readonly asUser: boolean
  apply(manifest: object | readonly object[]): Promise<void>
  jsonpath(path: string, ...args: readonly string[]): Promise<string>
  /** curl; code 0 when there was no answer. */
  get(url: string, ...args: readonly string[]): Promise<Echo>
  ingress(host: string, path: string, ...args: readonly string[]): Promise<Echo>
  clusterIP(service: string, namespace?: string): Promise<string>
  rollout(deployment: string, namespace?: string): Promise<void>
  dig(...args: readonly string[]): Promise<readonly string[]>
  /** The port at which this address's `port` is served: itself, or its substitute. */
  servedPort(address: string, port: number): Promise<number>
  close(): Promise<void>
}

export interface Variant extends InstanceOptions {
  readonly title: string
  readonly asUser: boolean
}

/**
 * As root pods are in network namespaces, and the kernel carries Services where it can; as an ordinary user they are on loopback addresses, and sockets carry
 * Services. The two share no range.
 */
export const variants = (slot: number): readonly Variant[] => [
  { title: 'as an ordinary user', asUser: true, slot },
  ...(isRoot ? [{ title: 'as root, pods in network namespaces', asUser: false, slot }] : []),
]

/** As root with sockets: the addresses of Services are local then. */
export const socketVariant = (slot: number): readonly Variant[] =>
  isRoot ? [{ title: 'as root with sockets', asUser: false, slot, args: ['--proxy-mode', 'userspace'] }] : []

export const startWorld = async (options: InstanceOptions & { readonly asUser: boolean }): Promise<World> => {
  const dataDir = options.dataDir ?? (await newDataDir(options.asUser))
  const instance = await startInstance({ ...options, dataDir })
  const kubectl = await createKubectl(instance.status.kubeconfig)
  const get: World['get'] = async (url, ...args) => {
    const { stdout } = await command('curl', ['-sS', '-m', '10', '-w', '\n%{http_code}', ...args, url])
    const cut = stdout.lastIndexOf('\n')
    return { ...echoOf(stdout.slice(0, cut)), code: Number(stdout.slice(cut + 1)) }
  }
  const jsonpath: World['jsonpath'] = (path, ...args) => kubectl.ok(['get', ...args, '-o', `jsonpath=${path}`])
  const [dnsAddress = '', dnsPort = ''] = instance.status.dns.split(':')
  return {
    instance,
    kubectl,
    asUser: options.asUser,
    get,
    jsonpath,
    apply: async (manifest) => {
      const items = Array.isArray(manifest) ? manifest : [manifest]
      await kubectl.ok(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
    },
    ingress: (host, path, ...args) => get(new URL(path, instance.status.ingress.http).href, '-H', `Host: ${host}`, ...args),
    clusterIP: (service, namespace = 'default') => jsonpath('{.spec.clusterIP}', 'service', service, '-n', namespace),
    rollout: async (name, namespace = 'default') => {
      await kubectl.ok(['rollout', 'status', `deployment/${name}`, '-n', namespace, '--timeout=60s'])
    },
    dig: async (...args) =>
      (await command('dig', ['+short', '+tries=1', `@${dnsAddress}`, '-p', dnsPort, ...args])).stdout.split('\n').filter(Boolean),
    servedPort: async (address, port) => {
      if (!options.asUser || port >= firstUnprivilegedPort) return port
      let found: number | undefined
      await expect
        .poll(async () => {
          const now: Status = JSON.parse((await instance.fairway('status', '-o', 'json')).stdout)
          found = now.substitutions.find((entry) => entry.address === address && entry.port === port)?.substitute
          return found
        })
        .toBeDefined()
      return found ?? port
    },
    close: async () => {
      await kubectl.close()
      await instance.stop()
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
    },
  }
}

const firstUnprivilegedPort = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'))

const echoOf = (text: string): Omit<Echo, 'code'> => {
  const nothing = { pod: '', client: '', path: '', headers: {}, body: text }
  try {
    const value: unknown = JSON.parse(text)
    // The echo sample's own answer; anything else stays text.
    return typeof value === 'object' && value !== null && 'pod' in value ? (value as Omit<Echo, 'code'>) : nothing
  } catch {
    return nothing
  }
}

interface PodOptions {
  readonly container?: object
  readonly spec?: object
  readonly labels?: Readonly<Record<string, string>>
}

/** The template of a pod with one echo container at 8080 that is ready as soon as it answers. */
export const echoPod = (app: string, { container = {}, spec = {}, labels = {} }: PodOptions = {}) => ({
  metadata: { labels: { app, ...labels } },
  spec: {
    containers: [
      {
        name: 'echo',
        image: 'fairway/echo',
        ports: [{ name: 'http', containerPort: 8080 }],
        readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 1, failureThreshold: 1 },
        ...container,
      },
    ],
    ...spec,
  },
})

export const pod = (name: string, options: PodOptions = {}) => {
  const { metadata, spec } = echoPod(name, options)
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata }, spec }
}

export const deployment = (name: string, template: ReturnType<typeof echoPod>, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: { replicas: 2, selector: { matchLabels: { app: name } }, template, ...spec },
})

/** A Service at 8080, a port that everybody may bind. */
export const service = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 8080, targetPort: 8080 }], ...spec },
})

export const ingress = (name: string, host: string, paths: readonly object[], spec: object = {}) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name },
  spec: { rules: [{ host, http: { paths } }], ...spec },
})

/** A path of an Ingress to port 8080 of a Service. */
export const path = (at: string, to: string, pathType = 'Prefix') => ({
  path: at,
  pathType,
  backend: { service: { name: to, port: { number: 8080 } } },
})
