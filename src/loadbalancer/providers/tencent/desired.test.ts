import { describe, expect, it } from 'vitest'
import { type TkeServiceConfig, tkeServiceConfigKind } from '../../../api/index.ts'
import type { Owner, TargetNode } from '../../provider.ts'
import type { ListenerInfo } from './client/index.ts'
import { plan } from './desired.ts'
import { viewOwner } from './owner-view.ts'
import type { Plan } from './plan.ts'
import type { Lookups, PlanInput } from './plan-input.ts'
import { endpoint, listener, node, type OwnerOptions, owner } from './testing/owners.ts'

const INFO = { vips: ['203.0.113.1'], ipv6: undefined, domain: undefined }
const NODES = [node('n1'), node('n2')]

interface Options extends Partial<Omit<PlanInput, 'lookups' | 'views'>> {
  readonly lookups?: Partial<Lookups>
}

const planOf = (owners: readonly Owner[], { lookups, ...options }: Options = {}): Plan =>
  plan({
    views: owners.map(viewOwner),
    nodes: NODES,
    info: INFO,
    present: [],
    nodeTargets: 'instance',
    isOwn: true,
    lookups: { configs: new Map(), certificates: new Map(), instances: new Map(), ...lookups },
    ...options,
  })

/** `TCP 80 → ins-n1:30080 10`, one line for each target; rules as `HTTP 80 host/`; `~` for those that are only kept, `?` for a set that is not whole. */
const lines = ({ listeners }: Plan): readonly string[] =>
  listeners.flatMap(({ protocol, port, groups, isHeld }) =>
    groups.flatMap(({ rule, targets, isComplete }) => {
      const at = `${protocol} ${port}${rule === undefined ? '' : ` ${rule.domain}${rule.url}`}${isHeld ? ' held' : ''}${isComplete ? '' : ' ?'}`
      if (targets.length === 0) return [at]
      return targets.map(({ id, port: to, weight, isOnlyKept }) => `${at} → ${id}:${to} ${weight}${isOnlyKept ? '~' : ''}`)
    }),
  )

const reasons = ({ problems }: Plan, name: string): readonly string[] =>
  (problems.get(`uid-${name}`) ?? []).map(({ reason }) => reason)

const listeners80 = (...endpoints: readonly string[]) => [listener('TCP', 80, { endpoints: endpoints.map(endpoint) })]

describe('targets', () => {
  it.each<[string, OwnerOptions, readonly string[], (readonly TargetNode[])?]>([
    ['are node ports of all nodes', {}, ['TCP 80 → ins-n1:30080 10', 'TCP 80 → ins-n2:30080 10']],
    [
      'are nodes that are not ready or cordoned, too',
      {},
      ['TCP 80 → ins-n1:30080 10'],
      [node('n1', { isReady: false, isUnschedulable: true })],
    ],
    ['without any node are not known', {}, ['TCP 80 ?'], []],
    [
      'of which one node has no instance are not whole',
      {},
      ['TCP 80 ? → ins-n1:30080 10'],
      [node('n1'), node('n2', { providerID: undefined })],
    ],
    [
      'are nodes with the labels',
      { annotations: { backendsLabel: 'pool=web' } },
      ['TCP 80 → ins-n2:30080 10'],
      [node('n1'), node('n2', { labels: { pool: 'web' } })],
    ],
    ['whose labels match nothing are not taken away', { annotations: { backendsLabel: 'pool=web' } }, ['TCP 80 ?']],
    ['whose labels cannot be read are not taken away', { annotations: { backendsLabel: '((' } }, ['TCP 80 ?']],
    [
      'have the default weight that is given',
      { annotations: { weights: '{"defaultWeight":5}' } },
      ['TCP 80 → ins-n1:30080 5', 'TCP 80 → ins-n2:30080 5'],
    ],
    [
      'with policy Local are all nodes, for their health checks to say',
      { externalTrafficPolicy: 'Local', listeners: listeners80('10.0.0.1:8080 ready node=n1') },
      ['TCP 80 → ins-n1:30080 10', 'TCP 80 → ins-n2:30080 10'],
    ],
    [
      'with policy Local and the annotation are nodes with pods',
      {
        externalTrafficPolicy: 'Local',
        annotations: { onlyNodesWithPod: 'true' },
        listeners: listeners80('10.0.0.1:8080 ready node=n1', '10.0.0.2:8080 notReady node=n2'),
      },
      ['TCP 80 → ins-n1:30080 10'],
    ],
    [
      'are weighed by pods',
      {
        externalTrafficPolicy: 'Local',
        annotations: { onlyNodesWithPod: 'true', weightByPods: 'true' },
        listeners: listeners80('10.0.0.1:8080 ready node=n1', '10.0.0.2:8080 ready node=n2', '10.0.0.3:8080 ready node=n2'),
      },
      ['TCP 80 → ins-n1:30080 1', 'TCP 80 → ins-n2:30080 2'],
    ],
    [
      'with policy Local are nodes whose pods still serve when there are no others',
      {
        externalTrafficPolicy: 'Local',
        annotations: { onlyNodesWithPod: 'true' },
        listeners: listeners80('10.0.0.1:8080 terminating node=n2'),
      },
      ['TCP 80 → ins-n2:30080 10'],
    ],
    [
      'without pods anywhere are none, which is what the spec says',
      { externalTrafficPolicy: 'Local', annotations: { onlyNodesWithPod: 'true' } },
      ['TCP 80'],
    ],
    [
      'are pods with direct access',
      {
        annotations: { directAccess: 'true' },
        listeners: listeners80('10.0.0.1:8080', '10.0.0.2:8080 notReady', '10.0.0.3:8080 terminating'),
      },
      ['TCP 80 → 10.0.0.1:8080 10', 'TCP 80 → 10.0.0.2:8080 0~', 'TCP 80 → 10.0.0.3:8080 0~'],
    ],
    [
      'that are not ready keep their weight where the user says so',
      { annotations: { directAccess: 'true', graceNotReady: 'false' }, listeners: listeners80('10.0.0.2:8080 notReady') },
      ['TCP 80 → 10.0.0.2:8080 10~'],
    ],
    [
      'that end keep the traffic while nobody else has it',
      { annotations: { directAccess: 'true' }, listeners: listeners80('10.0.0.2:8080 terminating', '10.0.0.3:8080 gone') },
      ['TCP 80 → 10.0.0.2:8080 10~', 'TCP 80 → 10.0.0.3:8080 0~'],
    ],
    [
      'of the other family are none',
      { annotations: { directAccess: 'true' }, listeners: listeners80('fd00::1:8080', '10.0.0.1:8080') },
      ['TCP 80 → 10.0.0.1:8080 10'],
    ],
    [
      'have weights by the ordinals of StatefulSets',
      {
        annotations: {
          directAccess: 'true',
          weights:
            '{"defaultWeight":7,"groups":[{"key":{"proto":"TCP","port":80},"statefulSets":[{"name":"db","weights":[{"weight":0,"podIndexes":[1]}]}]}]}',
        },
        listeners: listeners80('10.0.0.1:8080 ready pod=db-0', '10.0.0.2:8080 ready pod=db-1'),
      },
      ['TCP 80 → 10.0.0.1:8080 7', 'TCP 80 → 10.0.0.2:8080 0'],
    ],
    [
      'without a node port and without direct access are not known',
      { listeners: [listener('TCP', 80, { nodePort: undefined })] },
      ['TCP 80 ?'],
    ],
  ])('%s', (_title, options, expected, nodes = NODES) => {
    expect(lines(planOf([owner('web', options)], { nodes }))).toEqual(expected)
  })

  it('are nodes whose instance was looked up', () => {
    const nodes = [node('n1', { providerID: undefined })]
    expect(lines(planOf([owner('web')], { nodes, lookups: { instances: new Map([['n1', 'ins-x']]) } }))).toEqual([
      'TCP 80 → ins-x:30080 10',
    ])
  })

  it('are addresses of nodes that are no instances', () => {
    expect(lines(planOf([owner('web')], { nodeTargets: 'address' }))[0]).toBe('TCP 80 → 192.168.0.1:30080 10')
  })
})

describe('listeners', () => {
  const certificates = new Map([
    ['default/s', { ids: ['cert-1'] }],
    ['default/t', { ids: ['cert-2'] }],
  ])
  const shape = (made: Plan) =>
    made.listeners.map(({ protocol, port, isSni, certificates: own, groups }) => [
      `${protocol} ${port}`,
      isSni,
      own,
      groups.map(({ rule }) => rule && [rule.domain, rule.certificates]),
    ])

  it.each<[string, OwnerOptions, unknown]>([
    [
      'are those of the ports',
      { listeners: [listener('TCP', 80), listener('UDP', 53)] },
      [
        ['TCP 80', false, [], [undefined]],
        ['UDP 53', false, [], [undefined]],
      ],
    ],
    [
      'are TCP_SSL with a certificate',
      { annotations: { protocols: '{"80":{"protocol":["TCP_SSL"],"tls":"s"}}' } },
      [['TCP_SSL 80', false, ['cert-1'], [undefined]]],
    ],
    [
      'leave other ports as they are',
      { annotations: { protocols: '{"81":{"protocol":["TCP_SSL"],"tls":"s"}}' } },
      [['TCP 80', false, [], [undefined]]],
    ],
    [
      'are HTTP with a rule for the address',
      { annotations: { protocols: '{"80":{"protocol":["HTTP"]}}' } },
      [['HTTP 80', false, [], [['203.0.113.1', []]]]],
    ],
    [
      'are HTTPS with a rule and a certificate for each host',
      { annotations: { protocols: '{"80":{"protocol":["HTTPS"],"hosts":{"a.b":{"tls":"s"},"c.d":{"tls":"t"}}}}' } },
      [
        [
          'HTTPS 80',
          true,
          [],
          [
            ['a.b', ['cert-1']],
            ['c.d', ['cert-2']],
          ],
        ],
      ],
    ],
    [
      'are HTTPS with one certificate',
      { annotations: { protocols: '{"80":{"protocol":["HTTPS"],"tls":"s","hosts":{"a.b":{}}}}' } },
      [['HTTPS 80', false, ['cert-1'], [['a.b', ['cert-1']]]]],
    ],
    [
      'without their certificate are not known',
      { annotations: { protocols: '{"80":{"protocol":["TCP_SSL"],"tls":"gone"}}' } },
      [['TCP_SSL 80', false, undefined, [undefined]]],
    ],
    [
      'are both of TCP and UDP with direct access',
      { annotations: { directAccess: 'true', protocols: '{"80":{"protocol":["TCP","UDP"]}}' } },
      [
        ['TCP 80', false, [], [undefined]],
        ['UDP 80', false, [], [undefined]],
      ],
    ],
    [
      'of the other transport need direct access',
      { annotations: { protocols: '{"80":{"protocol":["TCP","UDP"]}}' } },
      [['TCP 80', false, [], [undefined]]],
    ],
    [
      'of a Service with both transports are specified for both',
      {
        listeners: [listener('TCP', 443), listener('UDP', 443)],
        annotations: { protocols: '{"443":{"protocol":["HTTPS","QUIC"],"tls":"s"}}' },
      },
      [
        ['HTTPS 443', false, ['cert-1'], [['203.0.113.1', ['cert-1']]]],
        ['QUIC 443', false, ['cert-1'], [undefined]],
      ],
    ],
    ['of SCTP are none', { listeners: [listener('SCTP', 80)] }, []],
  ])('%s', (_title, options, expected) => {
    expect(shape(planOf([owner('web', options)], { lookups: { certificates } }))).toEqual(expected)
  })

  it.each<[string, OwnerOptions, readonly string[]]>([
    [
      'a missing certificate',
      { annotations: { protocols: '{"80":{"protocol":["TCP_SSL"],"tls":"gone"}}' } },
      ['CertificateMissing'],
    ],
    [
      'a transport that needs direct access',
      { annotations: { protocols: '{"80":{"protocol":["TCP","UDP"]}}' } },
      ['ProtocolNeedsDirectAccess'],
    ],
    ['SCTP', { listeners: [listener('SCTP', 80)] }, ['ProtocolUnsupported']],
    ['a config that is not there', { annotations: { config: 'gone' } }, ['TkeServiceConfigMissing']],
    ['labels that match nothing', { annotations: { backendsLabel: 'pool=web' } }, ['NoNodeSelected']],
    ['no node port', { listeners: [listener('TCP', 80, { nodePort: undefined })] }, ['NoNodePort']],
    ['source ranges without security groups', { sourceRanges: ['10.0.0.0/8'] }, ['SourceRangesNeedSecurityGroups']],
    ['annotations that nobody knows', { annotations: { mode: 'skip' } }, []],
  ])('tell of %s', (_title, options, expected) => {
    expect(reasons(planOf([owner('web', options)]), 'web')).toEqual(expected)
  })

  it('with source ranges and nothing that keeps others out are not opened', () => {
    const closed = planOf([owner('web', { sourceRanges: ['10.0.0.0/8'] })])
    expect(closed.listeners.map(({ isHeld }) => isHeld)).toEqual([true])
    const open = planOf([owner('web', { sourceRanges: ['10.0.0.0/8'], annotations: { securityGroups: 'sg-1' } })])
    expect(open.listeners.map(({ isHeld }) => isHeld)).toEqual([false])
  })
})

describe('sharing', () => {
  it('gives a port to the oldest, and tells the other', () => {
    const made = planOf([owner('a'), owner('b', { listeners: [listener('TCP', 80), listener('TCP', 81)] })])
    expect(made.listeners.map(({ ownerUid, port }) => [ownerUid, port])).toEqual([
      ['uid-a', 80],
      ['uid-b', 81],
    ])
    expect(reasons(made, 'a')).toEqual([])
    expect(made.problems.get('uid-b')).toEqual([
      { reason: 'PortConflict', message: 'port TCP 80 of the load balancer belongs to the Service default/a' },
    ])
    expect([...(made.portErrors.get('uid-b') ?? [])]).toEqual([['TCP 80', 'PortConflict']])
  })

  it('has one place for TCP and one for UDP on a port', () => {
    const made = planOf([owner('a'), owner('b', { listeners: [listener('UDP', 80)] })])
    expect(made.listeners.map(({ protocol }) => protocol)).toEqual(['TCP', 'UDP'])
    expect(reasons(made, 'b')).toEqual([])
  })

  it('gives a port that somebody else has to nobody', () => {
    const foreign: ListenerInfo = {
      id: 'lbl-f',
      name: 'mine',
      protocol: 'HTTP',
      port: 80,
      isSni: false,
      certificates: [],
      settings: {},
      rules: [],
      targets: [],
    }
    const made = planOf([owner('a')], { present: [foreign] })
    expect(made.listeners).toEqual([])
    expect(made.problems.get('uid-a')?.[0]?.message).toContain('the listener lbl-f, which is not of this Service')
  })

  it('puts a target behind one layer 4 listener only', () => {
    const annotations = { directAccess: 'true' }
    const ports = [
      listener('TCP', 80, { endpoints: [endpoint('10.0.0.1:8080')] }),
      listener('TCP', 81, { endpoints: [endpoint('10.0.0.1:8080')] }),
    ]
    const made = planOf([owner('web', { annotations, listeners: ports })])
    expect(lines(made)).toEqual(['TCP 80 → 10.0.0.1:8080 10', 'TCP 81'])
    expect(reasons(made, 'web')).toEqual(['TargetConflict'])
  })

  it('follows the oldest that says something of the whole', () => {
    const made = planOf([
      owner('a', { annotations: { passToTarget: 'true' } }),
      owner('b', { listeners: [listener('TCP', 81)], annotations: { passToTarget: 'false', securityGroups: 'sg-2' } }),
    ])
    expect(made.attributes).toEqual({ passToTarget: true, securityGroups: ['sg-2'] })
  })

  it('leaves those that are skipped alone, and their ports to them', () => {
    const present: ListenerInfo = {
      id: 'lbl-a',
      name: 'TKE-LISTENER.uid-a',
      protocol: 'TCP',
      port: 80,
      isSni: false,
      certificates: [],
      settings: {},
      rules: [],
      targets: [],
    }
    const made = planOf([owner('a', { annotations: { mode: 'skip' } }), owner('b')], { present: [present] })
    expect([...made.managedNames]).toEqual(['TKE-LISTENER.uid-b'])
    expect(made.listeners).toEqual([])
    expect(reasons(made, 'b')).toEqual(['PortConflict'])
  })
})

describe('settings', () => {
  const config = (loadBalancer: TkeServiceConfig['spec']['loadBalancer']): TkeServiceConfig => ({
    apiVersion: 'cloud.tencent.com/v1alpha1',
    kind: tkeServiceConfigKind.kind,
    metadata: { name: 'c', namespace: 'default' },
    spec: { ...(loadBalancer && { loadBalancer }) },
  })
  const settingsOf = (options: OwnerOptions, loadBalancer?: TkeServiceConfig['spec']['loadBalancer']) => {
    const configs = new Map([['default/c', config(loadBalancer)]])
    const [first] = planOf([owner('web', options)], { lookups: { configs } }).listeners
    return first?.groups[0]?.rule?.settings ?? first?.settings
  }

  it.each<[string, OwnerOptions, TkeServiceConfig['spec']['loadBalancer'], unknown]>([
    ['of a plain Service: no session', {}, undefined, { sessionSeconds: 0 }],
    ['of affinity, within what the cloud can', { sessionAffinitySeconds: 10_800 }, undefined, { sessionSeconds: 3_600 }],
    ['of short affinity', { sessionAffinitySeconds: 5 }, undefined, { sessionSeconds: 30 }],
    [
      'of a config',
      { annotations: { config: 'c' }, sessionAffinitySeconds: 60 },
      {
        l4Listeners: [
          {
            protocol: 'TCP',
            port: 80,
            scheduler: 'LEAST_CONN',
            session: { enable: false },
            healthCheck: { enable: true, intervalTime: 10, timeout: 3 },
          },
        ],
      },
      { sessionSeconds: 0, scheduler: 'LEAST_CONN', healthCheck: { isOn: true, intervalSeconds: 10, timeoutSeconds: 3 } },
    ],
    [
      'of a config for another port',
      { annotations: { config: 'c' } },
      { l4Listeners: [{ protocol: 'TCP', port: 81, scheduler: 'LEAST_CONN' }] },
      { sessionSeconds: 0 },
    ],
    [
      'of a config that is not named',
      {},
      { l4Listeners: [{ protocol: 'TCP', port: 80, scheduler: 'LEAST_CONN' }] },
      { sessionSeconds: 0 },
    ],
    [
      'that keep health checks out of the loop',
      { annotations: { preventLoopback: 'true' } },
      undefined,
      { sessionSeconds: 0, healthCheck: { sourceIpType: 1 } },
    ],
    [
      'of a rule',
      { annotations: { config: 'c', protocols: '{"80":{"protocol":["HTTP"],"hosts":{"a.b":{}}}}' } },
      {
        l7Listeners: [
          {
            protocol: 'HTTP',
            port: 80,
            domains: [{ domain: 'a.b', rules: [{ url: '/', scheduler: 'IP_HASH', forwardType: 'GRPC' }] }],
          },
        ],
      },
      { sessionSeconds: 0, scheduler: 'IP_HASH', forwardType: 'GRPC' },
    ],
    [
      'of the rule for the address',
      { annotations: { config: 'c', protocols: '{"80":{"protocol":["HTTP"]}}' } },
      {
        l7Listeners: [
          {
            protocol: 'HTTP',
            port: 80,
            domains: [{ domain: '', rules: [{ url: '/', session: { enable: true, sessionExpireTime: 40 } }] }],
          },
        ],
      },
      { sessionSeconds: 40 },
    ],
  ])('%s', (_title, options, loadBalancer, expected) => {
    expect(settingsOf(options, loadBalancer)).toEqual(expected)
  })

  it('of the whole come from a config only on a load balancer of ours', () => {
    const configs = new Map([['default/c', config({ internetMaxBandwidthOut: 5 })]])
    const web = owner('web', { annotations: { config: 'c' } })
    expect(planOf([web], { lookups: { configs } }).attributes).toEqual({ bandwidth: 5 })
    expect(planOf([web], { lookups: { configs }, isOwn: false }).attributes).toEqual({})
  })
})
