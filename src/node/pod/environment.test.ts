import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConfigMap, Container, Secret, Service } from '../../api/index.ts'
import { pod, service } from '../../api/testing/index.ts'
import { containerEnv, type EnvSources } from './env.ts'
import { expand } from './expand.ts'
import { fieldValue, parseQuantity, resourceValue } from './field-ref.ts'
import { serviceEnv } from './service-env.ts'

describe('expand', () => {
  const variables = new Map([
    ['A', 'one'],
    ['NESTED', '$(A)'],
  ])
  it.each([
    ['$(A)', 'one'],
    ['x$(A)y$(A)', 'xoneyone'],
    ['$(NONE)', '$(NONE)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$one'],
    ['$(NESTED)', '$(A)'],
    ['$A', '$A'],
    ['$(', '$('],
    ['$$', '$'],
    ['$(__proto__)', '$(__proto__)'],
  ])('%s becomes %s', (text, expected) => {
    expect(expand(text, variables)).toBe(expected)
  })

  it('leaves text without dollar signs alone, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.string().map((text) => text.replaceAll('$', '')),
        (text) => expand(text, variables) === text,
      ),
    )
  })
})

const withPorts = (name: string, clusterIP: string, namespace = 'default'): Service => {
  const object = service(name).build()
  const ports = [
    { name: 'http-main', port: 80, protocol: 'TCP' as const },
    { name: 'dns', port: 53, protocol: 'UDP' as const },
  ]
  return { ...object, metadata: { ...object.metadata, namespace }, spec: { ...object.spec, clusterIP, ports } }
}

describe('serviceEnv', () => {
  it('writes the variables of Kubernetes', () => {
    expect(Object.fromEntries(serviceEnv([withPorts('my-web', '10.0.0.7')], 'default', true))).toEqual({
      MY_WEB_SERVICE_HOST: '10.0.0.7',
      MY_WEB_SERVICE_PORT: '80',
      MY_WEB_SERVICE_PORT_HTTP_MAIN: '80',
      MY_WEB_SERVICE_PORT_DNS: '53',
      MY_WEB_PORT: 'tcp://10.0.0.7:80',
      MY_WEB_PORT_80_TCP: 'tcp://10.0.0.7:80',
      MY_WEB_PORT_80_TCP_PROTO: 'tcp',
      MY_WEB_PORT_80_TCP_PORT: '80',
      MY_WEB_PORT_80_TCP_ADDR: '10.0.0.7',
      MY_WEB_PORT_53_UDP: 'udp://10.0.0.7:53',
      MY_WEB_PORT_53_UDP_PROTO: 'udp',
      MY_WEB_PORT_53_UDP_PORT: '53',
      MY_WEB_PORT_53_UDP_ADDR: '10.0.0.7',
    })
  })

  it.each([
    ['headless Services', [withPorts('a', 'None')], true],
    ['Services without an address', [withPorts('a', '')], true],
    ['Services of other namespaces', [withPorts('a', '10.0.0.1', 'other')], true],
    ['Services when links are off', [withPorts('a', '10.0.0.1')], false],
  ])('leaves out %s', (_what, services, links) => {
    expect(serviceEnv(services, 'default', links).size).toBe(0)
  })

  it('names the master in every namespace, also when links are off', () => {
    expect(serviceEnv([withPorts('kubernetes', '10.0.0.1')], 'elsewhere', false).get('KUBERNETES_SERVICE_HOST')).toBe('10.0.0.1')
  })
})

describe('the downward API', () => {
  const base = pod('p').node('n1').build()
  const object = {
    ...base,
    metadata: { ...base.metadata, uid: 'u', labels: { 'a/b': 'x', c: '"q"' }, annotations: { note: 'n' } },
  }
  const context = { podIP: '10.1.1.1', hostIP: '10.1.1.254' }
  it.each([
    ['metadata.name', 'p'],
    ['metadata.namespace', 'default'],
    ['metadata.uid', 'u'],
    ["metadata.labels['a/b']", 'x'],
    ["metadata.labels['none']", ''],
    ["metadata.labels['__proto__']", ''],
    ["metadata.annotations['note']", 'n'],
    ['metadata.labels', 'a/b="x"\nc="\\"q\\""'],
    ['spec.nodeName', 'n1'],
    ['status.podIP', '10.1.1.1'],
    ['status.hostIP', '10.1.1.254'],
    ['spec.secretThings', undefined],
    ['__proto__', undefined],
    ['constructor', undefined],
  ])('%s is %j', (path, expected) => {
    expect(fieldValue(object, path, context)).toBe(expected)
  })

  const container: Container = {
    name: 'main',
    resources: { limits: { cpu: '1500m', memory: '64Mi' }, requests: { cpu: '0.25' } },
  }
  const machine = { cpus: 4, memoryBytes: 8 * 2 ** 30 }
  it.each([
    ['limits.cpu', undefined, '2'],
    ['limits.cpu', '1m', '1500'],
    ['requests.cpu', '1m', '250'],
    ['limits.memory', '1Mi', '64'],
    ['requests.memory', undefined, '0'],
    ['limits.gpu', undefined, undefined],
    ['nonsense', undefined, undefined],
  ])('%s by %s is %s', (resource, divisor, expected) => {
    expect(resourceValue(container, { resource, divisor }, machine)).toBe(expected)
  })

  it('takes the machine for a limit that is not set', () => {
    expect(resourceValue({ name: 'm' }, { resource: 'limits.cpu' }, machine)).toBe('4')
    expect(resourceValue({ name: 'm' }, { resource: 'limits.memory', divisor: '1Gi' }, machine)).toBe('8')
  })

  it.each([
    ['1', 1],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['100m', 0.1],
    ['1e3', 1000],
    ['2E', 2e18],
    ['1x', undefined],
    ['', undefined],
    ['1toString', undefined],
  ])('the quantity %s is %j', (text, expected) => {
    expect(parseQuantity(text)).toBe(expected)
  })
})

describe('containerEnv', () => {
  const configMap: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'map' },
    data: { key: 'value', other: 'o' },
  }
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'sec' },
    data: { token: Buffer.from('hush').toString('base64') },
  }
  const sources = (container: Partial<Container>): EnvSources => ({
    pod: pod('p').build(),
    container: { name: 'main', ...container },
    context: { podIP: '10.1.1.1', hostIP: '10.1.1.254' },
    machine: { cpus: 1, memoryBytes: 1 },
    configMaps: new Map([['map', configMap]]),
    secrets: new Map([['sec', secret]]),
    services: [],
    base: new Map([['BASE', 'base']]),
  })
  const env = (container: Partial<Container>): unknown => {
    const result = containerEnv(sources(container))
    return result.kind === 'env' ? Object.fromEntries(result.env) : result.message
  }

  it('lets later sources win and earlier variables be named', () => {
    const envFrom = [{ configMapRef: { name: 'map' } }, { prefix: 'S_', secretRef: { name: 'sec' } }]
    const variables = [
      { name: 'BASE', value: '$(BASE)+$(key)' },
      { name: 'key', value: 'mine' },
      { name: 'LATER', value: '$(key)-$(AFTER)' },
      { name: 'AFTER', value: 'x' },
    ]
    expect(env({ envFrom, env: variables })).toEqual({
      BASE: 'base+value',
      key: 'mine',
      other: 'o',
      S_token: 'hush',
      LATER: 'mine-$(AFTER)',
      AFTER: 'x',
    })
  })

  it.each([
    [{ envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
    [{ envFrom: [{ secretRef: { name: 'none' } }] }, 'secret "none" not found'],
    [
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'map', key: 'no' } } }] },
      'couldn\'t find key no in configmap "map"',
    ],
    [
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'map', key: '__proto__' } } }] },
      'couldn\'t find key __proto__ in configmap "map"',
    ],
    [{ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'none', key: 'k' } } }] }, 'secret "none" not found'],
    [{ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'no.such' } } }] }, 'env A: unsupported fieldPath no.such'],
  ])('%j cannot start: %s', (container, message) => {
    expect(env(container)).toBe(message)
  })

  it('skips what is optional', () => {
    const envFrom = [{ configMapRef: { name: 'none', optional: true } }, { secretRef: { name: 'none', optional: true } }]
    const variables = [{ name: 'A', valueFrom: { secretKeyRef: { name: 'sec', key: 'no', optional: true } } }]
    expect(env({ envFrom, env: variables })).toEqual({ BASE: 'base' })
  })

  it('drops what no process can carry', () => {
    expect(
      env({
        env: [
          { name: 'A=B', value: 'x' },
          { name: 'ZERO', value: 'a\0b' },
        ],
      }),
    ).toEqual({ BASE: 'base' })
  })
})
