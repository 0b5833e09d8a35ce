import { describe, expect, it } from 'vitest'
import { apiVersionOf, scheme } from './index.ts'
import { problemsOf } from './testing/index.ts'

type Raw = Readonly<Record<string, unknown>>
const check = (apiVersion: string, kind: string, more: Raw, old?: Raw): readonly string[] => {
  const found = scheme.find((each) => apiVersionOf(each) === apiVersion && each.kind === kind)!
  const metadata = { name: 'x', ...(found.namespaced ? { namespace: 'default' } : {}) }
  const body = (part: Raw) => ({ apiVersion, kind, ...part, metadata: { ...metadata, ...(part['metadata'] as Raw) } })
  return problemsOf(found, body(more), old && body(old))
}
const b64 = (text: string): string => Buffer.from(text).toString('base64')

describe('small kinds', () => {
  it.each<[string, string, Raw, string[]]>([
    ['v1', 'ConfigMap', { data: { 'a.b': '' }, binaryData: { c: b64('x') } }, []],
    [
      'v1',
      'ConfigMap',
      { data: { 'a/b': '', c: '' }, binaryData: { c: '' } },
      [
        "data[a/b]: Invalid a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        'data[c]: Invalid duplicate of key present in binaryData',
      ],
    ],
    ['v1', 'ConfigMap', { data: { a: 'x'.repeat(1024 * 1024 + 1) } }, [': TooLong may not be more than 1048576 bytes']],
    ['v1', 'Secret', { data: { a: b64('x') }, stringData: { b: 'y' } }, []],
    ['v1', 'Secret', { type: 'kubernetes.io/tls', data: { 'tls.crt': b64('x') } }, ['data[tls.key]: Required']],
    [
      'v1',
      'Secret',
      { type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': b64('{') } },
      ['data[.dockerconfigjson]: Invalid the content is not JSON'],
    ],
    ['v1', 'Secret', { type: 'kubernetes.io/basic-auth' }, ['data[username]: Required', 'data[password]: Required']],
    ['v1', 'Secret', { type: 'kubernetes.io/ssh-auth' }, ['data[ssh-privatekey]: Required']],
    [
      'v1',
      'Secret',
      { type: 'kubernetes.io/service-account-token' },
      ['metadata.annotations[kubernetes.io/service-account.name]: Required'],
    ],
    ['v1', 'Secret', { type: 'constructor' }, []],
    ['v1', 'ServiceAccount', {}, []],
    [
      'v1',
      'Namespace',
      { spec: { finalizers: ['kubernetes', 'mine'] } },
      ['spec.finalizers[1]: Invalid name is neither a standard finalizer name nor is it fully qualified'],
    ],
    [
      'v1',
      'Node',
      { spec: { podCIDRs: ['10.0.0.0/24', '10.1.0.0/24'] } },
      ['spec.podCIDRs: Invalid may specify no more than one CIDR for each IP family'],
    ],
    [
      'v1',
      'Node',
      { spec: { podCIDR: '10.0.0.1/24', taints: [{ key: 'a', effect: 'X' }] } },
      [
        'spec.taints[0].effect: NotSupported supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"',
        'spec.podCIDRs[0]: Invalid must not have bits set beyond the prefix length',
      ],
    ],
    ['v1', 'Event', { involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' } }, []],
    ['v1', 'Event', { involvedObject: { kind: 'Node', name: 'n1' } }, []],
    [
      'v1',
      'Event',
      { involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web' } },
      ['involvedObject.namespace: Invalid does not match event.namespace'],
    ],
    [
      'v1',
      'Event',
      { involvedObject: {}, eventTime: '2026-01-01T00:00:00.000000Z', type: 'Odd' },
      [
        'reportingController: Required',
        'reportingInstance: Required',
        'action: Required',
        'reason: Required',
        "type: Invalid must be 'Normal' or 'Warning'",
      ],
    ],
    ['coordination.k8s.io/v1', 'Lease', { spec: { holderIdentity: 'me', leaseDurationSeconds: 15 } }, []],
    [
      'coordination.k8s.io/v1',
      'Lease',
      { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } },
      [
        'spec.leaseDurationSeconds: Invalid must be greater than 0',
        'spec.leaseTransitions: Invalid must be greater than or equal to 0',
      ],
    ],
    ['networking.k8s.io/v1', 'ServiceCIDR', { spec: { cidrs: ['10.96.0.0/16', '2001:db8::/112'] } }, []],
    ['networking.k8s.io/v1', 'ServiceCIDR', { spec: {} }, ['spec.cidrs: Required at least one CIDR required']],
    [
      'networking.k8s.io/v1',
      'ServiceCIDR',
      { spec: { cidrs: ['10.0.0.0/16', '10.1.0.0/16'] } },
      ['spec.cidrs: Invalid may specify no more than one IP for each IP family'],
    ],
    [
      'networking.k8s.io/v1',
      'ServiceCIDR',
      { spec: { cidrs: ['2001:DB8::/112', '10.0.0.1/16'] } },
      [
        'spec.cidrs[0]: Invalid must be in canonical form ("2001:db8::/112")',
        'spec.cidrs[1]: Invalid must not have bits set beyond the prefix length',
      ],
    ],
    [
      'networking.k8s.io/v1',
      'ServiceCIDR',
      { spec: { cidrs: ['a', 'b', 'c'] } },
      ['spec.cidrs: Invalid may only hold up to 2 values'],
    ],
    [
      'networking.k8s.io/v1',
      'IPAddress',
      { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } } },
      [],
    ],
    ['networking.k8s.io/v1', 'IPAddress', { spec: {} }, ['spec.parentRef.resource: Required', 'spec.parentRef.name: Required']],
    [
      'networking.k8s.io/v1',
      'IngressClass',
      { spec: { controller: 'example.com/fairway', parameters: { kind: 'A', name: 'b' } } },
      [],
    ],
    ['networking.k8s.io/v1', 'IngressClass', { spec: {} }, ['spec.controller: Required']],
    [
      'networking.k8s.io/v1',
      'IngressClass',
      { spec: { controller: 'fairway' } },
      ['spec.controller: Invalid must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      'networking.k8s.io/v1',
      'IngressClass',
      { spec: { controller: `a.b/${'c'.repeat(250)}` } },
      ['spec.controller: TooLong may not be more than 250 bytes'],
    ],
    [
      'networking.k8s.io/v1',
      'IngressClass',
      { spec: { controller: 'a.b/c', parameters: { kind: 'A', name: 'b', scope: 'Namespace' } } },
      ["spec.parameters.namespace: Required `parameters.scope` is set to 'Namespace'"],
    ],
    [
      'networking.k8s.io/v1',
      'IngressClass',
      { spec: { controller: 'a.b/c', parameters: { kind: 'A', name: 'b', scope: 'Cluster', namespace: 'x' } } },
      ["spec.parameters.namespace: Forbidden `parameters.scope` is set to 'Cluster'"],
    ],
  ])('%s %s (%#)', (apiVersion, kind, more, expected) => {
    expect(check(apiVersion, kind, more)).toEqual(expected)
  })

  it.each<[string, string, Raw, Raw, string[]]>([
    [
      'v1',
      'ConfigMap',
      { data: { a: '1' }, immutable: true },
      { data: { a: '2' }, immutable: false },
      [
        'immutable: Forbidden field is immutable when `immutable` is set',
        'data: Forbidden field is immutable when `immutable` is set',
      ],
    ],
    ['v1', 'ConfigMap', { data: { a: '1' } }, { data: { a: '2' }, immutable: true }, []],
    [
      'v1',
      'Secret',
      { data: { a: b64('1') }, immutable: true },
      { data: { a: b64('2') }, immutable: true },
      ['data: Forbidden field is immutable when `immutable` is set'],
    ],
    ['v1', 'Secret', { type: 'a' }, { type: 'b' }, ['type: Invalid field is immutable']],
    [
      'v1',
      'Node',
      { spec: { podCIDR: '10.0.0.0/24' } },
      { spec: { podCIDR: '10.0.1.0/24' } },
      ['spec.podCIDRs: Forbidden node updates may not change podCIDR except from "" to valid'],
    ],
    ['v1', 'Node', {}, { spec: { podCIDR: '10.0.1.0/24', providerID: 'a' } }, []],
    [
      'networking.k8s.io/v1',
      'ServiceCIDR',
      { spec: { cidrs: ['10.0.0.0/16'] } },
      { spec: { cidrs: ['10.0.0.0/16', '2001:db8::/112'] } },
      [],
    ],
    [
      'networking.k8s.io/v1',
      'ServiceCIDR',
      { spec: { cidrs: ['10.0.0.0/16'] } },
      { spec: { cidrs: ['10.1.0.0/16'] } },
      ['spec.cidrs: Invalid field is immutable'],
    ],
    [
      'networking.k8s.io/v1',
      'IPAddress',
      { spec: { parentRef: { resource: 'services', name: 'a' } } },
      { spec: { parentRef: { resource: 'services', name: 'b' } } },
      ['spec.parentRef: Invalid field is immutable'],
    ],
    [
      'networking.k8s.io/v1',
      'IngressClass',
      { spec: { controller: 'a.b/c' } },
      { spec: { controller: 'a.b/d' } },
      ['spec.controller: Invalid field is immutable'],
    ],
  ])('%s %s updated (%#)', (apiVersion, kind, old, more, expected) => {
    expect(check(apiVersion, kind, more, old)).toEqual(expected)
  })

  it('never show what a Secret holds', () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'x' },
      type: 'kubernetes.io/dockercfg',
      data: { '.dockercfg': b64('hunter2') },
    }
    const kind = scheme.find((each) => each.kind === 'Secret')!
    expect(JSON.stringify(kind.validate(secret as never))).not.toContain(b64('hunter2'))
  })
})

describe('the scheme', () => {
  it('has each version of a kind once, and what it converts to before it', () => {
    const ids = scheme.map((kind) => `${apiVersionOf(kind)} ${kind.plural}`)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [index, { conversion }] of scheme.entries()) {
      if (conversion !== undefined) expect(scheme.indexOf(conversion.hub)).toBeLessThan(index)
    }
  })

  it('names the field selectors that kubectl and controllers use', () => {
    const fields = Object.fromEntries(
      scheme.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind.selectableFields.map(({ path }) => path)]),
    )
    expect(fields['/v1/pods']).toEqual(expect.arrayContaining(['spec.nodeName', 'status.phase', 'status.podIP']))
    expect(fields['/v1/events']).toEqual(
      expect.arrayContaining([
        'involvedObject.name',
        'involvedObject.namespace',
        'involvedObject.kind',
        'involvedObject.uid',
        'reason',
        'type',
        'source',
        'reportingComponent',
      ]),
    )
    expect(fields['/v1/secrets']).toEqual(['type'])
    expect(fields['/v1/namespaces']).toEqual(['status.phase'])
    expect(fields['/v1/services']).toEqual(['spec.clusterIP', 'spec.type'])
  })
})
