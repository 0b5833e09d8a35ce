import { describe, expect, it } from 'vitest'
import type { KubeObject } from './index.ts'
import { scheme } from './index.ts'
import { deployment, endpointSlice, ingress, namespace, node, pod, replicaSet, service } from './testing/index.ts'

const NOW = Date.parse('2026-01-01T00:05:30Z')

/** A row as `kubectl get -o wide` shows it: `Name=web Type=ClusterIP ...`. */
const row = (object: KubeObject, wide = false): string => {
  const kind = scheme.find((each) => each.kind === object.kind && object.apiVersion.endsWith(each.version))!
  const columns = kind.columns.filter(({ priority }) => wide || priority === 0)
  return columns.map(({ name, cell }) => `${name}=${cell(object, NOW)}`).join(' ')
}

const core = (kind: string, more: object): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' },
  ...more,
})

describe('kubectl get', () => {
  it.each<[string, KubeObject]>([
    [
      'Name=web Type=ClusterIP Cluster-IP=10.96.0.10 External-IP=<none> Port(s)=80/TCP,53/UDP Age=5m30s',
      service('web').port(80, 'a').port(53, 'b', { protocol: 'UDP' }).clusterIP('10.96.0.10').build(),
    ],
    [
      'Name=web Type=NodePort Cluster-IP=<none> External-IP=192.0.2.1,192.0.2.2 Port(s)=80:30080/TCP Age=5m30s',
      service('web').port(80, undefined, { nodePort: 30080 }).nodePort().externalIPs('192.0.2.1', '192.0.2.2').build(),
    ],
    [
      'Name=web Type=LoadBalancer Cluster-IP=<none> External-IP=<pending> Port(s)=80/TCP Age=5m30s',
      service('web').port(80).loadBalancer().build(),
    ],
    [
      'Name=web Type=LoadBalancer Cluster-IP=<none> External-IP=203.0.113.9,192.0.2.1 Port(s)=80/TCP Age=5m30s',
      service('web').port(80).loadBalancer('203.0.113.9').externalIPs('192.0.2.1').build(),
    ],
    [
      'Name=web Type=ExternalName Cluster-IP=<none> External-IP=example.com Port(s)=<none> Age=5m30s',
      service('web').externalName('example.com').build(),
    ],
    ['Name=web Type=ClusterIP Cluster-IP=None External-IP=<none> Port(s)=<none> Age=5m30s', service('web').headless().build()],
    ['Name=web-1 Ready=1/1 Status=Running Restarts=0 Age=5m30s', pod('web-1').ip('10.0.0.1').build()],
    ['Name=web-1 Ready=0/1 Status=Pending Restarts=0 Age=5m30s', pod('web-1').build()],
    ['Name=web-1 Ready=1/1 Status=Terminating Restarts=0 Age=5m30s', pod('web-1').ip('10.0.0.1').deleted().build()],
    [
      'Name=web-1 AddressType=IPv4 Ports=8080 Endpoints=10.0.0.1,10.0.0.2,10.0.0.3 + 2 more... Age=5m30s',
      endpointSlice('web').port(8080).endpoints('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5').build(),
    ],
    ['Name=web-1 AddressType=IPv4 Ports=<unset> Endpoints=<unset> Age=5m30s', endpointSlice('web').build()],
    [
      'Name=shop Class=fairway Hosts=a.b,c.d Address= Ports=80, 443 Age=5m30s',
      ingress('shop').className('fairway').host('a.b', { '/': 'web:80' }).host('c.d', { '/': 'web:80' }).tls('s', 'a.b').build(),
    ],
    ['Name=shop Class=<none> Hosts=* Address= Ports=80 Age=5m30s', ingress('shop').defaultBackend('web:80').build()],
    ['Name=web Ready=0/3 Up-to-date=0 Available=0 Age=5m30s', deployment('web').replicas(3).build()],
    ['Name=web Desired=2 Current=0 Ready=0 Age=5m30s', replicaSet('web').replicas(2).build()],
    ['Name=shop Status=Active Age=5m30s', namespace('shop').build()],
    ['Name=n1 Status=Ready Roles=<none> Age=5m30s Version=', node('n1').build()],
    [
      'Name=n1 Status=NotReady,SchedulingDisabled Roles=control-plane Age=5m30s Version=',
      node('n1').ready(false).spec({ unschedulable: true }).labels({ 'node-role.kubernetes.io/control-plane': '' }).build(),
    ],
    ['Name=x Data=3 Age=5m30s', core('ConfigMap', { data: { a: '1', b: '2' }, binaryData: { c: '' } })],
    ['Name=x Type=Opaque Data=1 Age=5m30s', core('Secret', { type: 'Opaque', data: { a: '' } })],
    ['Name=x Secrets=0 Age=5m30s', core('ServiceAccount', {})],
    [
      'Name=x Endpoints=10.0.0.1:80,[2001:db8::1]:80 Age=5m30s',
      core('Endpoints', { subsets: [{ addresses: [{ ip: '10.0.0.1' }, { ip: '2001:db8::1' }], ports: [{ port: 80 }] }] }),
    ],
    ['Name=x Endpoints=<none> Age=5m30s', core('Endpoints', {})],
    [
      'Last Seen=30s Type=Warning Reason=Failed Object=pod/web Message=it broke',
      core('Event', {
        type: 'Warning',
        reason: 'Failed',
        message: ' it broke\n',
        involvedObject: { kind: 'Pod', name: 'web' },
        lastTimestamp: '2026-01-01T00:05:00Z',
      }),
    ],
    [
      'Name=x Holder=me Age=5m30s',
      { ...core('Lease', { spec: { holderIdentity: 'me' } }), apiVersion: 'coordination.k8s.io/v1' },
    ],
    [
      'Name=x CIDRs=10.0.0.0/16,2001:db8::/112 Age=5m30s',
      { ...core('ServiceCIDR', { spec: { cidrs: ['10.0.0.0/16', '2001:db8::/112'] } }), apiVersion: 'networking.k8s.io/v1' },
    ],
    [
      'Name=x ParentRef=services/default/web Age=5m30s',
      {
        ...core('IPAddress', { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } } }),
        apiVersion: 'networking.k8s.io/v1',
      },
    ],
    [
      'Name=x Controller=a.b/c Parameters=Config.d.e/f Age=5m30s',
      {
        ...core('IngressClass', { spec: { controller: 'a.b/c', parameters: { apiGroup: 'd.e', kind: 'Config', name: 'f' } } }),
        apiVersion: 'networking.k8s.io/v1',
      },
    ],
  ])('%s', (expected, object) => {
    expect(row(object)).toBe(expected)
  })

  it.each<[string, KubeObject]>([
    ['Selector=app=web,tier=front', service('web').port(80).selector({ tier: 'front', app: 'web' }).build()],
    ['IP=10.0.0.1 Node=n1 Nominated Node=<none> Readiness Gates=<none>', pod('web-1').node('n1').ip('10.0.0.1').build()],
    ['Containers=main Images=fairway/echo Selector=app=web', deployment('web').build()],
    [
      'Internal-IP=192.0.2.1 External-IP=<none> OS-Image=<unknown> Kernel-Version=<unknown> Container-Runtime=<unknown>',
      node('n1').ip('192.0.2.1').build(),
    ],
  ])('-o wide adds %s', (expected, object) => {
    expect(row(object, true).endsWith(` ${expected}`)).toBe(true)
  })
})

describe('columns', () => {
  it('of every kind survive an object that has nothing but a name', () => {
    for (const kind of scheme) {
      const bare = kind.setDefaults({
        apiVersion: 'v1',
        kind: kind.kind,
        metadata: { name: 'x' },
        ...(kind.kind === 'Event' ? {} : { spec: undefined }),
      } as never)
      for (const column of kind.columns) expect(() => column.cell(bare, NOW), `${kind.kind} ${column.name}`).not.toThrow()
      for (const field of kind.selectableFields) expect(() => field.read(bare), `${kind.kind} ${field.path}`).not.toThrow()
    }
  })

  it('of every kind have a description, and one is the name', () => {
    for (const kind of scheme) {
      expect(kind.columns.filter(({ format }) => format === 'name')).toHaveLength(1)
      expect(kind.columns.every(({ description }) => description.length > 5)).toBe(true)
    }
  })
})
