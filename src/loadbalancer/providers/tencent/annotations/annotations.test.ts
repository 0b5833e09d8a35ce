import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ANNOTATIONS, readAnnotations, type Settings } from './index.ts'

type Name = keyof typeof ANNOTATIONS

const read = (name: Name, text: string) => readAnnotations({ [ANNOTATIONS[name].key]: text })

const valid: readonly (readonly [Name, string, unknown])[] = [
  ['existedId', 'lb-1a2b3c4d', 'lb-1a2b3c4d'],
  ['shareExisted', 'true', true],
  ['subnetId', 'subnet-abc123', 'subnet-abc123'],
  ['chargeType', 'TRAFFIC_POSTPAID_BY_HOUR', 'TRAFFIC_POSTPAID_BY_HOUR'],
  ['chargeType', 'BANDWIDTH_POSTPAID_BY_HOUR', 'BANDWIDTH_POSTPAID_BY_HOUR'],
  ['bandwidth', '1', 1],
  ['bandwidth', '2048', 2_048],
  ['oldChargeType', 'TRAFFIC_POSTPAID_BY_HOUR', 'TRAFFIC_POSTPAID_BY_HOUR'],
  ['oldBandwidth', '10', 10],
  ['extensive', '{}', {}],
  ['extensive', '{"VipIsp":"CMCC","ZoneId":"ap-guangzhou-3"}', { VipIsp: 'CMCC', ZoneId: 'ap-guangzhou-3' }],
  ['extensive', '{"InternetAccessible":{"InternetMaxBandwidthOut":5}}', { InternetAccessible: { InternetMaxBandwidthOut: 5 } }],
  ['extensive', '{"Vip":"203.0.113.7","SlaType":"clb.c2.medium"}', { Vip: '203.0.113.7', SlaType: 'clb.c2.medium' }],
  ['extensive', '{"LoadBalancerName":"mein Lastverteiler 1"}', { LoadBalancerName: 'mein Lastverteiler 1' }],
  ['clbType', 'yunapiv3_forward_clb', 'yunapiv3_forward_clb'],
  ['directAccess', 'true', true],
  ['directAccess', 'false', false],
  ['backendsLabel', 'pool=web', [{ key: 'pool', operator: 'In', values: ['web'] }]],
  ['backendsLabel', 'a!=b', [{ key: 'a', operator: 'NotIn', values: ['b'] }]],
  [
    'backendsLabel',
    'zone in (a, b),!gpu',
    [
      { key: 'zone', operator: 'In', values: ['a', 'b'] },
      { key: 'gpu', operator: 'DoesNotExist', values: [] },
    ],
  ],
  ['backendsLabel', 'node.kubernetes.io/x', [{ key: 'node.kubernetes.io/x', operator: 'Exists', values: [] }]],
  ['onlyNodesWithPod', 'true', true],
  ['weights', '{"defaultWeight":20}', { defaultWeight: 20, groups: [] }],
  [
    'weights',
    '{"groups":[{"key":{"proto":"TCP","port":80},"statefulSets":[{"name":"db","weights":[{"weight":0,"podIndexes":[0,2]}]}]}]}',
    {
      defaultWeight: undefined,
      groups: [
        {
          protocol: 'TCP',
          port: 80,
          byPod: new Map([
            ['db-0', 0],
            ['db-2', 0],
          ]),
        },
      ],
    },
  ],
  ['protocols', '{"80":{"protocol":["TCP_SSL"],"tls":"s"}}', new Map([[80, { protocols: ['TCP_SSL'], tls: 's', hosts: [] }]])],
  [
    'protocols',
    '{"80":{"protocol":["HTTP"],"hosts":{"A.b":{}}}}',
    new Map([[80, { protocols: ['HTTP'], tls: undefined, hosts: [{ host: 'a.b', tls: undefined }] }]]),
  ],
  [
    'protocols',
    '{"443":{"protocol":["HTTPS"],"hosts":{"*.a":{"tls":"s"}}}}',
    new Map([[443, { protocols: ['HTTPS'], tls: undefined, hosts: [{ host: '*.a', tls: 's' }] }]]),
  ],
  ['protocols', '{"53":{"protocol":["TCP","UDP"]}}', new Map([[53, { protocols: ['TCP', 'UDP'], tls: undefined, hosts: [] }]])],
  ['protocols', '{"443":{"protocol":["QUIC"],"tls":"s"}}', new Map([[443, { protocols: ['QUIC'], tls: 's', hosts: [] }]])],
  ['config', 'my-config', 'my-config'],
  ['autoConfig', 'false', false],
  ['graceShutdown', 'false', false],
  ['graceNotReady', 'true', true],
  ['graceDeletion', 'false', false],
  ['securityGroups', 'sg-a1,sg-b2', ['sg-a1', 'sg-b2']],
  ['securityGroups', '', []],
  ['passToTarget', 'true', true],
  ['preventLoopback', 'true', true],
  ['mode', 'skip', 'skip'],
  ['retain', 'true', true],
  ['modificationProtection', 'false', false],
  ['deletionProtection', 'false', false],
]

const invalid: readonly (readonly [Name, string, string])[] = [
  ['existedId', 'clb-1', 'must be an id such as lb-1a2b3c4d'],
  ['existedId', '', 'must be an id'],
  ['existedId', 'lb-1a2b;rm', 'must be an id'],
  ['shareExisted', 'yes', 'must be "true" or "false"'],
  ['subnetId', 'vpc-1', 'must be an id such as subnet-'],
  ['chargeType', 'FREE', 'must be TRAFFIC_POSTPAID_BY_HOUR or'],
  ['bandwidth', '0', 'from 1 to 2048'],
  ['bandwidth', '2049', 'from 1 to 2048'],
  ['bandwidth', '1e3', 'from 1 to 2048'],
  ['bandwidth', '-5', 'from 1 to 2048'],
  ['oldBandwidth', 'ten', 'from 1 to 2048'],
  ['extensive', '{', 'must be JSON'],
  ['extensive', '[]', 'it must be an object'],
  ['extensive', '{"Tags":[]}', 'the unknown field "Tags"'],
  ['extensive', '{"ClientToken":"mine"}', 'the unknown field "ClientToken"'],
  ['extensive', '{"Number":3}', 'the unknown field "Number"'],
  ['extensive', '{"VipIsp":"MINE"}', 'VipIsp must be BGP or'],
  ['extensive', '{"InternetAccessible":{"InternetMaxBandwidthOut":9999}}', 'from 0 to 2048'],
  ['extensive', '{"Vip":"my.host"}', 'Vip is not well written'],
  ['clbType', 'classic', 'classic load balancers are not made any more'],
  ['clbType', 'yunapi_clb', 'classic load balancers are not made any more'],
  ['clbType', 'other', 'must be yunapiv3_forward_clb'],
  ['directAccess', 'True', 'must be "true" or "false"'],
  ['backendsLabel', '', 'must not be empty'],
  ['backendsLabel', 'a in b', 'must be a label selector'],
  ['backendsLabel', 'a=b=c', 'must be a label selector'],
  ['backendsLabel', 'a in (b,(c))', 'must be a label selector'],
  ['onlyNodesWithPod', '1', 'must be "true" or "false"'],
  ['weights', '{"defaultWeight":101}', 'from 0 to 100'],
  ['weights', '{"weight":1}', 'the unknown field "weight"'],
  ['weights', '{"groups":[{"key":{"proto":"SCTP","port":80}}]}', 'proto is not well written'],
  ['weights', '{"groups":[{"key":{"proto":"TCP","port":80}},{"key":{"proto":"TCP","port":80}}]}', 'has a port twice'],
  [
    'weights',
    '{"groups":[{"key":{"proto":"TCP","port":80},"statefulSets":[{"name":"db","weights":[{"weight":0,"podIndexes":[-1]}]}]}]}',
    'from 0 to',
  ],
  ['protocols', '{"0":{"protocol":["TCP"]}}', '"0" is no port'],
  ['protocols', '{"80":{"protocol":[]}}', 'must not be empty'],
  ['protocols', '{"80":{"protocol":["SCTP"]}}', 'must be of TCP, UDP'],
  ['protocols', '{"80":{"protocol":["TCP","HTTP"]}}', 'two for one transport'],
  ['protocols', '{"443":{"protocol":["HTTPS"],"hosts":{"a":{}}}}', 'needs tls'],
  ['protocols', '{"443":{"protocol":["TCP_SSL"]}}', 'needs tls'],
  ['protocols', '{"80":{"protocol":["HTTP"],"tls":"s"}}', 'has tls, which HTTP does not use'],
  ['protocols', '{"80":{"protocol":["TCP"],"hosts":{"a":{}}}}', 'has hosts, which TCP does not use'],
  ['protocols', '{"80":{"protocol":["HTTP"],"hosts":{"a/b":{}}}}', 'is not well written'],
  ['config', 'web-auto-service-config', 'must not end in'],
  ['config', 'Web', 'must be the name'],
  ['graceShutdown', 'on', 'must be "true" or "false"'],
  ['securityGroups', 'sg-a,sg-a', 'has an item twice'],
  ['securityGroups', 'sg-a,sg-b,sg-c,sg-d,sg-e,sg-f', 'at most 5 items'],
  ['securityGroups', 'default', 'each item must be an id such as sg-'],
  ['passToTarget', '', 'must be "true" or "false"'],
  ['mode', 'Skip', 'must be skip'],
]

const refused: readonly (readonly [Name, string])[] = [
  ['autoConfig', 'true'],
  ['graceDeletion', 'true'],
  ['targetGroups', '[]'],
  ['crossRegion', 'ap-beijing'],
  ['crossVpc', 'vpc-1'],
  ['modificationProtection', 'true'],
  ['deletionProtection', 'true'],
  ['listenerParameters', '{}'],
]

const readOnly: readonly Name[] = [
  'loadBalancerId',
  'natIPv6',
  'clientToken',
  'syncBegin',
  'syncEnd',
  'sourceEndpoints',
  'conditions',
  'clusterId',
]

describe('readAnnotations', () => {
  it.each(valid)('%s: %s', (name, text, expected) => {
    const { settings, findings } = read(name, text)
    expect(findings).toEqual([])
    expect((settings as Record<string, unknown>)[name]).toEqual(expected)
  })

  it.each(invalid)('%s: %s is not understood', (name, text, reason) => {
    const { settings, findings } = read(name, text)
    expect(settings).toEqual({})
    expect(findings).toMatchObject([
      { key: ANNOTATIONS[name].key, reason: 'AnnotationInvalid', message: expect.stringContaining(reason) },
    ])
  })

  it.each(refused)('%s: %s is refused with the reason', (name, text) => {
    const { settings, findings } = read(name, text)
    expect(settings).toEqual({})
    expect(findings).toMatchObject([{ reason: 'AnnotationRefused', message: expect.stringContaining(ANNOTATIONS[name].note) }])
  })

  it.each(readOnly)('%s is not read', (name) => {
    expect(read(name, 'whatever')).toEqual({ settings: {}, findings: [] })
  })

  it('has a row here for every annotation', () => {
    const rows = new Set<string>([
      ...valid.map(([name]) => name),
      ...invalid.map(([name]) => name),
      ...refused.map(([name]) => name),
      ...readOnly,
    ])
    expect(Object.keys(ANNOTATIONS).filter((name) => !rows.has(name))).toEqual(['weightByPods'])
    expect(valid.length + invalid.length + refused.length + readOnly.length).toBeGreaterThan(80)
  })

  it.each<readonly [string, Partial<Record<Name, string>>, string]>([
    [
      'weights by pods without only nodes with pods',
      { weightByPods: 'true' },
      'it needs service.kubernetes.io/local-svc-only-bind-node-with-pod',
    ],
    ['a subnet of an existing load balancer', { existedId: 'lb-1', subnetId: 'subnet-1' }, 'is as it is'],
    ['bandwidth of an internal one', { subnetId: 'subnet-1', bandwidth: '5' }, 'has no public traffic'],
  ])('tells of %s', (_title, annotations, message) => {
    const texts = Object.entries(annotations).map(([name, text]) => [ANNOTATIONS[name as Name].key, text])
    expect(readAnnotations(Object.fromEntries(texts)).findings).toMatchObject([{ message: expect.stringContaining(message) }])
  })

  it('names keys that nobody knows, and leaves those of others alone', () => {
    const { findings } = readAnnotations({
      'service.cloud.tencent.com/direct-acess': 'true',
      'service.kubernetes.io/qcloud-loadbalancer-clb-port-mapping': '1',
      'service.kubernetes.io/topology-mode': 'Auto',
      'example.com/x': '',
    })
    expect(findings.map(({ key, reason }) => [key, reason])).toEqual([
      ['service.cloud.tencent.com/direct-acess', 'AnnotationUnknown'],
      ['service.kubernetes.io/qcloud-loadbalancer-clb-port-mapping', 'AnnotationUnknown'],
    ])
  })

  it('never throws, and what it understands it says once', () => {
    const name = fc.constantFrom(...(Object.keys(ANNOTATIONS) as Name[]))
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom(...valid.map(([, each]) => each)),
      fc.string({ maxLength: 2_000 }),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(name, text)), (all) => {
        const { settings, findings } = readAnnotations(
          Object.fromEntries(all.map(([each, written]) => [ANNOTATIONS[each].key, written])),
        )
        const wrong = findings.filter(({ message }) => !message.includes('has no effect')).map(({ key }) => key)
        for (const each of Object.keys(settings as Settings)) expect(wrong).not.toContain(ANNOTATIONS[each as Name].key)
      }),
      { numRuns: 300 },
    )
  })
})
