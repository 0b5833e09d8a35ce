import { describe, expect, it } from 'vitest'
import type { Forwarding } from '../../model/index.ts'
import { draining, dying, endpoint, node, port, ready, unready } from '../../model/testing/index.ts'
import { isLost } from './desired-connections.ts'
import { away, CLIENTS, flowWorld, here, meaning, NODE, VIRTUAL } from './testing/index.ts'

/** On another node, but the first in the order of addresses. */
const near = endpoint('10.1.0.1', { nodeName: 'n2', ...ready })

describe('a TCP connection', () => {
  it.each([
    ['that began without rules finds an endpoint after their repair', [here(1)], VIRTUAL, '10.1.1.1'],
    ['at a NodePort too', [here(1)], NODE, '10.1.1.1'],
    ['to a Service that has none is left alone', [], VIRTUAL, VIRTUAL],
  ] as const)('%s', async (_title, pods, to, reached) => {
    const world = flowWorld()
    await world.carry([])
    world.kernel.setRules(() => ({ kind: 'accept' }))
    expect(world.send('outside', to, { protocol: 'TCP' })).toBe(to)
    await world.carry([meaning(pods, { protocol: 'TCP' })])
    expect(world.send('outside', to, { protocol: 'TCP' })).toBe(to)
    await world.repair()
    expect(world.send('outside', to, { protocol: 'TCP' })).toBe(reached)
  })

  it('that has an endpoint, or that anybody answered, stays', async () => {
    const [led, answered] = [
      { address: '10.1.1.1', port: 5_353 },
      { address: VIRTUAL, port: 53 },
    ]
    const original = { source: { address: CLIENTS.pod, port: 1 }, destination: { address: VIRTUAL, port: 53 } }
    const entry = (source: typeof led, replied: boolean) =>
      ({
        family: 'IPv4',
        protocol: 'TCP',
        original,
        reply: { source, destination: original.source },
        mark: 0,
        id: 1,
        replied,
      }) as const
    expect([entry(led, false), entry(answered, true), entry(answered, false)].map(isLost)).toEqual([false, false, true])
  })
})

describe('a flow', () => {
  it.each<[string, Forwarding[], Forwarding[], keyof typeof CLIENTS, string, string, string]>([
    [
      'moves when its endpoint is gone',
      [meaning([here(1), here(2)])],
      [meaning([here(2)])],
      'pod',
      VIRTUAL,
      '10.1.1.1',
      '10.1.1.2',
    ],
    ['at a NodePort moves too', [meaning([here(1), here(2)])], [meaning([here(2)])], 'outside', NODE, '10.1.1.1', '10.1.1.2'],
    [
      'at an external address moves too',
      [meaning([here(1), here(2)], { externalIPs: ['203.0.113.9'] })],
      [meaning([here(2)], { externalIPs: ['203.0.113.9'] })],
      'outside',
      '203.0.113.9',
      '10.1.1.1',
      '10.1.1.2',
    ],
    [
      'at a VIP moves too',
      [meaning([here(1), here(2)], { type: 'LoadBalancer', vip: '203.0.113.9' })],
      [meaning([here(2)], { type: 'LoadBalancer', vip: '203.0.113.9' })],
      'outside',
      '203.0.113.9',
      '10.1.1.1',
      '10.1.1.2',
    ],
    [
      'of SCTP moves too',
      [meaning([here(1), here(2)], { protocol: 'SCTP' })],
      [meaning([here(2)], { protocol: 'SCTP' })],
      'pod',
      VIRTUAL,
      '10.1.1.1',
      '10.1.1.2',
    ],
    [
      'of TCP stays',
      [meaning([here(1), here(2)], { protocol: 'TCP' })],
      [meaning([here(2)], { protocol: 'TCP' })],
      'pod',
      VIRTUAL,
      '10.1.1.1',
      '10.1.1.1',
    ],
    [
      'stays when another endpoint is gone',
      [meaning([here(1), here(2)])],
      [meaning([here(1)])],
      'pod',
      VIRTUAL,
      '10.1.1.1',
      '10.1.1.1',
    ],
    ['stays when an endpoint comes', [meaning([here(2)])], [meaning([here(1), here(2)])], 'pod', VIRTUAL, '10.1.1.2', '10.1.1.2'],
    ['made before there was a Service finds it', [], [meaning([here(1)])], 'pod', VIRTUAL, VIRTUAL, '10.1.1.1'],
    ['made before there was a NodePort finds it', [], [meaning([here(1)])], 'outside', NODE, NODE, '10.1.1.1'],
    ['that nobody answered finds the first endpoint', [meaning([])], [meaning([here(1)])], 'pod', VIRTUAL, 'nobody', '10.1.1.1'],
    ['ends with the last endpoint', [meaning([here(1)])], [meaning([])], 'pod', VIRTUAL, '10.1.1.1', 'nobody'],
    [
      'leaves an endpoint that is not ready',
      [meaning([here(1), here(2)])],
      [meaning([here(1, unready), here(2)])],
      'pod',
      VIRTUAL,
      '10.1.1.1',
      '10.1.1.2',
    ],
    [
      'stays while its endpoint drains',
      [meaning([here(1), here(2)])],
      [meaning([here(1, draining), here(2)])],
      'pod',
      VIRTUAL,
      '10.1.1.1',
      '10.1.1.1',
    ],
    [
      'leaves an endpoint that drained',
      [meaning([here(1, draining)])],
      [meaning([here(1, dying), here(2)])],
      'pod',
      VIRTUAL,
      '10.1.1.1',
      '10.1.1.2',
    ],
    [
      'goes to this node when the internal policy becomes Local',
      [meaning([near, here(2)])],
      [meaning([near, here(2)], { internalTrafficPolicy: 'Local' })],
      'pod',
      VIRTUAL,
      '10.1.0.1',
      '10.1.1.2',
    ],
    [
      'finds the first local endpoint under policy Local',
      [meaning([away(1)], { internalTrafficPolicy: 'Local' })],
      [meaning([away(1), here(2)], { internalTrafficPolicy: 'Local' })],
      'pod',
      VIRTUAL,
      'nobody',
      '10.1.1.2',
    ],
    [
      'from outside ends when policy Local has nobody here',
      [meaning([away(1)])],
      [meaning([away(1)], { externalTrafficPolicy: 'Local' })],
      'outside',
      NODE,
      '10.1.2.1',
      'nobody',
    ],
    [
      'from a pod stays then, by the short circuit',
      [meaning([away(1)])],
      [meaning([away(1)], { externalTrafficPolicy: 'Local' })],
      'pod',
      NODE,
      '10.1.2.1',
      '10.1.2.1',
    ],
    [
      'ends when its source may not use the VIP any more',
      [meaning([here(1)], { type: 'LoadBalancer', vip: '203.0.113.9' })],
      [meaning([here(1)], { type: 'LoadBalancer', vip: '203.0.113.9', loadBalancerSourceRanges: ['203.0.113.0/24'] })],
      'outside',
      '203.0.113.9',
      '10.1.1.1',
      'nobody',
    ],
    [
      'stays when its source still may',
      [meaning([here(1)], { type: 'LoadBalancer', vip: '203.0.113.9' })],
      [meaning([here(1)], { type: 'LoadBalancer', vip: '203.0.113.9', loadBalancerSourceRanges: ['198.51.100.0/24'] })],
      'outside',
      '203.0.113.9',
      '10.1.1.1',
      '10.1.1.1',
    ],
  ])('%s', async (_title, before, after, from, to, first, then) => {
    const { carry, send } = flowWorld()
    const protocol = [...before, ...after][0]?.ports[0]?.protocol
    await carry(before, { full: true })
    expect(send(from, to, { protocol })).toBe(first)
    await carry(after)
    expect(send(from, to, { protocol })).toBe(then)
  })
  it('moves when its endpoint has another port', async () => {
    const { carry, send, kernel } = flowWorld()
    await carry([meaning([here(1)])], { full: true })
    send('pod', VIRTUAL)
    await carry([meaning([here(1)], { targetPort: 5354 })])
    send('pod', VIRTUAL)
    expect(kernel.entries.map(({ reply }) => reply.source)).toEqual([{ address: '10.1.1.1', port: 5354 }])
  })
  it('ends with its Service, and with a frontend that its Service gave up', async () => {
    const { carry, send, kernel } = flowWorld()
    const dns = meaning([here(1)], { externalIPs: ['203.0.113.9'] })
    await carry([dns], { full: true })
    expect(send('outside', '203.0.113.9')).toBe('10.1.1.1')
    expect(await carry([meaning([here(1)])])).toMatchObject({ removed: 1 })
    expect(send('outside', '203.0.113.9')).toBe('203.0.113.9')
    send('pod', VIRTUAL)
    expect(await carry([], { gone: [dns.key] })).toMatchObject({ removed: 1 })
    expect(kernel.entries).toHaveLength(1)
  })
  it('that another program translated is left alone when the Service is gone', async () => {
    const { carry, kernel } = flowWorld()
    const dns = meaning([here(1)])
    await carry([dns], { full: true })
    kernel.setRules(() => ({ kind: 'accept', destination: { address: '172.17.0.2', port: 53 } }))
    kernel.send({ protocol: 'UDP', source: { address: CLIENTS.outside, port: 1 }, destination: { address: NODE, port: 30_053 } })
    expect(await carry([], { gone: [dns.key] })).toMatchObject({ listed: 1, removed: 0 })
  })
  it('moves to the Service that takes a frontend over, in one change', async () => {
    const { carry, send } = flowWorld()
    const old = meaning([here(1)], { externalIPs: ['203.0.113.9'] })
    const next = meaning([here(2)], {
      name: 'next',
      clusterIP: '10.96.0.11',
      externalIPs: ['203.0.113.9'],
      ports: [port(53, { protocol: 'UDP' })],
    })
    await carry([old], { full: true })
    send('outside', '203.0.113.9')
    await carry([meaning([here(1)]), next])
    expect(send('outside', '203.0.113.9')).toBe('10.1.1.2')
  })
  it('at an address that is the node’s own and another Service’s is not judged by a NodePort of the same number', async () => {
    const { carry, send } = flowWorld()
    const own = meaning([here(1)], {
      name: 'own',
      clusterIP: '10.96.0.11',
      type: 'ClusterIP',
      externalIPs: [NODE],
      ports: [port(30_053, { protocol: 'UDP' })],
    })
    await carry([own, meaning([here(2), here(3)])], { full: true })
    expect(send('outside', NODE)).toBe('10.1.1.1')
    expect(await carry([meaning([here(3)])])).toMatchObject({ listed: 1, removed: 0 })
    expect(send('outside', NODE)).toBe('10.1.1.1')
  })
  it('is judged again when the node’s pod ranges change what its source is', async () => {
    const { carry, send } = flowWorld()
    const dns = meaning([away(1)], { externalTrafficPolicy: 'Local' })
    await carry([dns], { full: true })
    expect(send('pod', NODE)).toBe('10.1.2.1')
    const elsewhere = node({ podCIDRs: ['10.7.0.0/16'] })
    await carry([meaning([away(1)], { externalTrafficPolicy: 'Local', node: elsewhere })], { node: elsewhere })
    expect(send('pod', NODE)).toBe('nobody')
  })
  it('finds a NodePort on an address that the node serves it on since now, and ends on one that it does not any more', async () => {
    const { carry, send } = flowWorld()
    await carry([meaning([here(1)])], { full: true })
    expect(send('outside', '192.0.2.2', { destination: 30_053 })).toBe('192.0.2.2')
    expect(send('outside', NODE)).toBe('10.1.1.1')
    await carry([], { node: node({ nodePortAddresses: ['192.0.2.2'] }) })
    expect(send('outside', '192.0.2.2', { destination: 30_053 })).toBe('10.1.1.1')
    expect(send('outside', NODE)).toBe(NODE)
  })
})

describe('a restart', () => {
  it('leaves flows that are right, and ends those whose endpoint vanished meanwhile', async () => {
    const { carry, send, kernel, restart } = flowWorld()
    const dns = meaning([here(1), here(2)])
    const other = (...pods: Parameters<typeof meaning>[0]) =>
      meaning(pods, { name: 'other', clusterIP: '10.96.0.11', ports: [port(53, { protocol: 'UDP' })] })
    await carry([dns, other(here(3))], { full: true })
    send('pod', VIRTUAL)
    send('pod', VIRTUAL, { port: 4001 })
    send('pod', '10.96.0.11')
    const before = kernel.entries
    expect(await restart([dns, other(here(3))])).toMatchObject({ listed: 3, removed: 0 })
    expect(kernel.entries).toEqual(before)
    expect(await restart([dns, other()])).toMatchObject({ listed: 3, removed: 1 })
    expect(kernel.entries).toEqual(before.slice(0, 2))
  })
  it('ends black holes that were made while no proxy ran', async () => {
    const { send, restart } = flowWorld()
    expect(send('pod', VIRTUAL)).toBe(VIRTUAL)
    await restart([meaning([here(1)])])
    expect(send('pod', VIRTUAL)).toBe('10.1.1.1')
  })
})

describe('the cost', () => {
  it.each<[string, Forwarding[], Forwarding[], number]>([
    ['an endpoint that comes', [meaning([here(1)])], [meaning([here(1), here(2)])], 0],
    ['a change of TCP', [meaning([here(1)], { protocol: 'TCP' })], [meaning([], { protocol: 'TCP' })], 0],
    ['a Service that comes without endpoints', [], [meaning([])], 0],
    ['a Service that goes without endpoints', [meaning([])], [], 0],
    ['a draining endpoint', [meaning([here(1), here(2)])], [meaning([here(1, draining), here(2)])], 0],
    ['another affinity', [meaning([here(1)])], [meaning([here(1)], { sessionAffinity: 'ClientIP' })], 0],
    [
      'two Services of one change',
      [],
      [meaning([here(1)]), meaning([here(2)], { name: 'b', clusterIP: '10.96.0.11', ports: [port(53, { protocol: 'UDP' })] })],
      1,
    ],
    ['an endpoint that goes', [meaning([here(1), here(2)])], [meaning([here(1)])], 1],
    ['a last endpoint that goes', [meaning([here(1)])], [meaning([])], 1],
    ['a Service that goes', [meaning([here(1)])], [], 1],
  ])('of %s is counted in walks of the kernel’s table', async (_title, before, after, lists) => {
    const { carry, kernel } = flowWorld()
    await carry([], { full: true })
    await carry(before)
    const sofar = kernel.lists
    const keys = after.map(({ key }) => key)
    await carry(after, { gone: before.map(({ key }) => key).filter((key) => !keys.includes(key)) })
    expect(kernel.lists - sofar).toBe(lists)
  })
})

describe('a failure', () => {
  it.each(['list', 'remove'] as const)(
    'of the %s fails nothing, is told, and is made up for after the next sync',
    async (what) => {
      const { carry, send, kernel, registry } = flowWorld()
      await carry([meaning([here(1), here(2)])], { full: true })
      expect(send('pod', VIRTUAL)).toBe('10.1.1.1')
      kernel.failNext(what, new Error('no permission'))
      expect(await carry([meaning([here(2)])])).toMatchObject({ failed: 'no permission', removed: 0 })
      expect(send('pod', VIRTUAL)).toBe('10.1.1.1')
      expect(await registry.getSingleMetricAsString('kubeproxy_conntrack_reconciler_failures_total')).toContain(
        '{ip_family="IPv4"} 1',
      )
      expect(await carry([])).toMatchObject({ removed: 1 })
      expect(send('pod', VIRTUAL)).toBe('10.1.1.2')
      expect(await registry.getSingleMetricAsString('kubeproxy_conntrack_reconciler_deleted_entries_total')).toContain(
        '{ip_family="IPv4"} 1',
      )
      expect(await carry([])).toMatchObject({ frontends: 0 })
    },
  )
  it('of a sync has its flows looked at after the next one, also when that one brings back what was', async () => {
    const { carry, failToCarry, send } = flowWorld()
    await carry([meaning([here(2)])], { full: true })
    failToCarry([meaning([here(1), here(2)])], () => expect(send('pod', VIRTUAL)).toBe('10.1.1.1'))
    await carry([meaning([here(2)])])
    expect(send('pod', VIRTUAL)).toBe('10.1.1.2')
  })
  it('of a sync of a Service that is deleted next does not keep its flows', async () => {
    const { carry, failToCarry, send } = flowWorld()
    const dns = meaning([here(2)])
    await carry([dns], { full: true })
    failToCarry([meaning([here(1)])], () => expect(send('pod', VIRTUAL)).toBe('10.1.1.1'))
    await carry([], { gone: [dns.key] })
    expect(send('pod', VIRTUAL)).toBe(VIRTUAL)
  })
})

describe('a sweep', () => {
  it('finds a flow that was made under the old rules while they were replaced', async () => {
    const { carry, send, kernel, sweep } = flowWorld()
    await carry([meaning([here(2)])], { full: true })
    kernel.setRules(() => ({ kind: 'accept', destination: { address: '10.1.1.1', port: 5353 } }))
    expect(send('pod', VIRTUAL)).toBe('10.1.1.1')
    expect(await sweep()).toMatchObject({ removed: 1 })
    expect(await sweep()).toMatchObject({ removed: 0 })
  })
  it('leaves a flow that was never translated where nobody serves', async () => {
    const { carry, send, sweep } = flowWorld()
    await carry([], { full: true })
    expect(send('pod', VIRTUAL)).toBe(VIRTUAL)
    await carry([meaning([])])
    expect(await sweep()).toMatchObject({ listed: 1, removed: 0 })
  })
})
