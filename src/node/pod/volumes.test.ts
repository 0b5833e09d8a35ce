import { describe, expect, it } from 'vitest'
import type { ConfigMap, Secret, Volume } from '../../api/index.ts'
import { pod } from '../../api/testing/index.ts'
import { etcFiles } from './etc-files.ts'
import { volumePlan } from './volumes.ts'

const configMap: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'map' },
  data: { 'a.conf': 'alpha' },
  binaryData: { bin: Buffer.from([0, 255]).toString('base64') },
}
const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'sec' },
  data: { token: Buffer.from('hush').toString('base64') },
}
const sources = {
  pod: pod('p').build(),
  context: { podIP: '10.1.1.1', hostIP: '10.1.1.254' },
  configMaps: new Map([['map', configMap]]),
  secrets: new Map([['sec', secret]]),
}
const plan = (volume: Omit<Volume, 'name'>): unknown => {
  const result = volumePlan({ name: 'v', ...volume }, sources)
  if (result.kind === 'problem') return result.message
  return result.kind === 'files'
    ? result.files.map(({ path, content, mode }) => `${path} ${mode.toString(8)} ${content.toString('hex')}`)
    : result
}
const hex = (text: string): string => Buffer.from(text).toString('hex')

describe('volumePlan', () => {
  it.each<[Omit<Volume, 'name'>, unknown]>([
    [{ emptyDir: {} }, { kind: 'empty' }],
    [{ hostPath: { path: '/srv' } }, { kind: 'host', path: '/srv' }],
    [{ configMap: { name: 'map' } }, [`a.conf 644 ${hex('alpha')}`, 'bin 644 00ff']],
    [
      { configMap: { name: 'map', defaultMode: 0o600, items: [{ key: 'a.conf', path: 'd/x', mode: 0o400 }] } },
      [`d/x 400 ${hex('alpha')}`],
    ],
    [{ secret: { secretName: 'sec' } }, [`token 644 ${hex('hush')}`]],
    [{ downwardAPI: { items: [{ path: 'n', fieldRef: { fieldPath: 'metadata.name' } }] } }, [`n 644 ${hex('p')}`]],
    [
      {
        projected: {
          defaultMode: 0o440,
          sources: [{ configMap: { name: 'map', items: [{ key: 'bin', path: 'b' }] } }, { secret: { name: 'sec' } }],
        },
      },
      ['b 440 00ff', `token 440 ${hex('hush')}`],
    ],
    [{ configMap: { name: 'none', optional: true } }, []],
    [{ configMap: { name: 'none' } }, 'volume "v": configmap "none" not found'],
    [{ secret: { secretName: 'none' } }, 'volume "v": secret "none" not found'],
    [{ configMap: { name: 'map', items: [{ key: 'no', path: 'x' }] } }, 'volume "v": configmap "map" has no key no'],
    [
      { configMap: { name: 'map', items: [{ key: 'bin', path: '../out' }] } },
      'volume "v": path "../out" is not a relative path within the volume',
    ],
    [
      { configMap: { name: 'map', items: [{ key: 'bin', path: '/etc/x' }] } },
      'volume "v": path "/etc/x" is not a relative path within the volume',
    ],
    [{ persistentVolumeClaim: { claimName: 'c' } }, 'volume "v": persistentVolumeClaim is not supported on this node'],
    [{}, 'volume "v": no source is not supported on this node'],
  ])('%j', (volume, expected) => {
    expect(plan(volume)).toEqual(expected)
  })
})

describe('etcFiles', () => {
  const host = {
    hostResolvConf: '# comment\nnameserver 9.9.9.9\nsearch corp.example\noptions timeout:1\n',
    hostHosts: '127.0.0.1 localhost\n',
  }
  const files = (spec: Parameters<ReturnType<typeof pod>['spec']>[0], port = 53): Readonly<Record<string, string>> => {
    const dns = { address: '10.1.1.254', port, domain: 'cluster.local' }
    const made = etcFiles({ pod: pod('web-0').spec(spec).build(), address: '10.1.1.1', dns, ...host })
    return Object.fromEntries(made.map(({ path, content }) => [path, content]))
  }
  const ours =
    'search default.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.1.1.254\noptions ndots:5\n'
  const theirs = 'search corp.example\nnameserver 9.9.9.9\noptions timeout:1\n'

  it.each<[string, Parameters<typeof files>[0], number, string]>([
    ['asks the cluster', {}, 53, ours],
    ['asks the machine’s servers under Default', { dnsPolicy: 'Default' }, 53, theirs],
    ['asks the machine’s servers on the host network', { hostNetwork: true }, 53, theirs],
    ['asks the cluster on the host network when told', { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }, 53, ours],
    ['asks the machine’s servers when the cluster’s has a port of its own', {}, 5353, theirs],
    [
      'takes only dnsConfig under None',
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'edns0' }] } },
      53,
      'nameserver 1.1.1.1\noptions edns0\n',
    ],
    [
      'adds dnsConfig, whose options win',
      { dnsConfig: { searches: ['more.example'], options: [{ name: 'ndots', value: '2' }] } },
      53,
      ours.replace('corp.example', 'corp.example more.example').replace('ndots:5', 'ndots:2'),
    ],
  ])('%s', (_title, spec, port, expected) => {
    expect(files(spec, port)['/etc/resolv.conf']).toBe(expected)
  })

  it('names the pod, its aliases and its place below a headless Service', () => {
    const made = files({ hostname: 'db', subdomain: 'dbs', hostAliases: [{ ip: '1.2.3.4', hostnames: ['x', 'y'] }] })
    expect(made['/etc/hosts']).toContain('10.1.1.1\tdb.dbs.default.svc.cluster.local\tdb\n1.2.3.4\tx\ty\n')
    expect(made['/etc/hostname']).toBe('db\n')
  })

  it('leaves the machine’s hosts to pods on its network', () => {
    expect(files({ hostNetwork: true })['/etc/hosts']).toBe('127.0.0.1 localhost\n')
  })
})
