import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tkeServiceConfigKind } from '../../../api/index.ts'
import type { ServiceOutcome } from '../../provider.ts'
import { CLUSTER_TAG, CREATED_BY_TAG, listenerName, SERVICE_TAG } from './marks.ts'
import { startTestCloud, type TestCloud } from './testing/cloud.ts'
import { endpoint, listener, owner } from './testing/owners.ts'
import { CLUSTER, createRig, type Rig } from './testing/rig.ts'

const NEVER = new AbortController().signal

let cloud: TestCloud
let rig: Rig
beforeEach(async () => {
  cloud = await startTestCloud({
    inventory: { vpcId: 'vpc-1', zone: 'z', instances: [{ id: 'ins-n1', address: '127.0.0.1' }], subnets: [] },
  })
  rig = createRig(cloud)
})
afterEach(() => cloud.close())

const all = () => cloud.api.describeLoadBalancers({}, NEVER)
const only = async () => {
  const [first, second] = await all()
  if (first === undefined || second !== undefined) throw new Error('not one load balancer')
  return first
}
const listenersOf = async (id: string): Promise<readonly string[]> =>
  (await cloud.api.describeListeners(id, NEVER))
    .flatMap(({ protocol, port, targets, rules }) => [
      `${protocol} ${port}${targets.map((each) => ` ${each.id}:${each.port}*${each.weight}`).join('')}`,
      ...rules.map(
        (rule) =>
          `${protocol} ${port} ${rule.domain}${rule.url}${rule.targets.map((each) => ` ${each.id}:${each.port}*${each.weight}`).join('')}`,
      ),
    ])
    .sort()
const reasons = ({ problems }: ServiceOutcome): readonly string[] => problems.map(({ reason }) => reason)
const lend = (name: string): Promise<string> =>
  cloud.api.createLoadBalancer({ ClientToken: name, LoadBalancerType: 'OPEN', LoadBalancerName: name }, NEVER)
const ready = async (id: string): Promise<string> => {
  while ((await cloud.api.loadBalancer(id, NEVER))?.isReady !== true);
  return id
}
const calls = async (): Promise<Readonly<Record<string, number>>> => {
  const { actions } = (await cloud.control('GET', '/calls')) as {
    readonly actions: Readonly<Record<string, { readonly calls: number }>>
  }
  return Object.fromEntries(Object.entries(actions).map(([action, { calls: count }]) => [action, count]))
}
const fault = (what: object): Promise<unknown> => cloud.control('POST', '/faults', what)

describe('access', () => {
  it('from everywhere is a public load balancer with the tags of TKE', async () => {
    rig.put(owner('web', { annotations: { bandwidth: '7', chargeType: 'TRAFFIC_POSTPAID_BY_HOUR' } }))
    const { ingress, problems } = await rig.settle('web')
    const { id, type, tags, vips, bandwidth } = await only()
    expect(problems).toEqual([])
    expect({ type, bandwidth }).toEqual({ type: 'OPEN', bandwidth: 7 })
    expect(tags).toMatchObject({
      [CREATED_BY_TAG]: 'yes',
      [CLUSTER_TAG]: CLUSTER,
      'tke-lifecycle-owner': 'tke',
      [SERVICE_TAG]: 'uid-web',
    })
    expect(ingress).toEqual([{ ip: vips[0], ipMode: 'VIP', ports: [{ port: 80, protocol: 'TCP' }] }])
    expect(await listenersOf(id)).toEqual(['TCP 80 127.0.0.1:30080*10'])
    expect(rig.get('web').annotations['service.kubernetes.io/loadbalance-id']).toBe(id)
  })

  it('from the VPC is an internal one in the subnet', async () => {
    rig.put(owner('web', { annotations: { subnetId: 'subnet-a1' } }))
    await rig.settle('web')
    expect(await only()).toMatchObject({ type: 'INTERNAL', subnetId: 'subnet-a1' })
  })

  it('by a wrong subnet is refused, and never public', async () => {
    rig.put(owner('web', { annotations: { subnetId: 'public' } }))
    expect(rig.claim('web')).toMatchObject({ kind: 'refused', problems: [{ reason: 'AnnotationInvalid' }] })
  })

  it('by name has the name in the status', async () => {
    rig.put(owner('web', { annotations: { extensive: '{"DynamicVip":true}' } }))
    const { ingress } = await rig.settle('web')
    expect(ingress).toEqual([{ hostname: (await only()).domain, ports: [{ port: 80, protocol: 'TCP' }] }])
  })

  it('to pods goes without node ports', async () => {
    const ports = [listener('TCP', 80, { nodePort: undefined, endpoints: [endpoint('127.0.0.1:18080')] })]
    rig.put(owner('web', { annotations: { directAccess: 'true' }, listeners: ports }))
    await rig.settle('web')
    expect(await listenersOf((await only()).id)).toEqual(['TCP 80 127.0.0.1:18080*10'])
  })

  it('to nodes is by instance, which is looked up where a node does not say', async () => {
    rig = createRig(cloud, { nodeTargets: 'instance' })
    rig.nodes = rig.nodes.map((each) => ({ ...each, providerID: undefined }))
    rig.put(owner('web'))
    await rig.settle('web')
    expect(await listenersOf((await only()).id)).toEqual(['TCP 80 ins-n1:30080*10'])
  })

  it('to nodes of which one is not known keeps what serves', async () => {
    rig = createRig(cloud, { nodeTargets: 'instance' })
    rig.put(owner('web'))
    await rig.settle('web')
    rig.nodes = [{ ...(rig.nodes[0] as (typeof rig.nodes)[number]), name: 'n2', providerID: undefined, addresses: ['192.0.2.1'] }]
    await rig.settle('web')
    expect(await listenersOf((await only()).id)).toEqual(['TCP 80 ins-n1:30080*10'])
  })
})

describe('a load balancer that the user has', () => {
  it('is used, and never deleted', async () => {
    const id = await ready(await lend('mine'))
    await cloud.api.createListeners(
      id,
      [{ name: 'theirs', protocol: 'TCP', port: 9, isSni: false, certificates: [], settings: {} }],
      NEVER,
    )
    rig.put(owner('web', { annotations: { existedId: id, subnetId: 'subnet-a1' } }))
    await rig.settle('web')
    expect((await only()).tags).toEqual({ [CLUSTER_TAG]: CLUSTER })
    expect(await listenersOf(id)).toEqual(['TCP 80 127.0.0.1:30080*10', 'TCP 9'])
    rig.leave('web')
    await rig.settle('web')
    expect(await listenersOf(id)).toEqual(['TCP 9'])
    expect((await only()).tags).toEqual({})
  })

  it.each<[string, Readonly<Record<string, string>>]>([
    ['was made by TKE', { [CREATED_BY_TAG]: 'yes' }],
    ['was made for a Service', { [SERVICE_TAG]: 'uid-other' }],
    ['belongs to another cluster', { [CLUSTER_TAG]: 'cls-other' }],
  ])('is not touched when it %s', async (_title, tags) => {
    const id = await ready(await lend('mine'))
    await cloud.api.tagLoadBalancer(id, tags, NEVER)
    rig.put(owner('web', { annotations: { existedId: id } }))
    expect(reasons(await rig.settle('web'))).toEqual(['LoadBalancerUnusable'])
    expect(await listenersOf(id)).toEqual([])
    expect((await only()).tags).toEqual(tags)
    rig.leave('web')
    expect((await rig.settle('web')).isReleased).toBe(true)
    expect((await only()).tags).toEqual(tags)
  })

  it('that is not there is told of, and a corrected id is followed', async () => {
    const id = await ready(await lend('mine'))
    rig.put(owner('web', { annotations: { existedId: 'lb-00000000' } }))
    expect(reasons(await rig.settle('web'))).toEqual(['LoadBalancerMissing'])
    rig.annotate('web', { existedId: id })
    expect(reasons(await rig.settle('web'))).toEqual([])
  })

  it('keeps ports that others have', async () => {
    const id = await ready(await lend('mine'))
    await cloud.api.createListeners(
      id,
      [{ name: 'theirs', protocol: 'HTTP', port: 80, isSni: false, certificates: [], settings: {} }],
      NEVER,
    )
    rig.put(owner('web', { annotations: { existedId: id } }))
    const { problems, ingress } = await rig.settle('web')
    expect(problems.map(({ reason }) => reason)).toEqual(['PortConflict'])
    expect(ingress[0]?.ports).toEqual([{ port: 80, protocol: 'TCP', error: 'PortConflict' }])
    expect(await listenersOf(id)).toEqual(['HTTP 80'])
  })
})

describe('the end', () => {
  it.each<[string, (id: string) => Promise<unknown>]>([
    ['tke-lifecycle-owner=user', (id) => cloud.api.tagLoadBalancer(id, { 'tke-lifecycle-owner': 'user' }, NEVER)],
    ['a lost tag tke-createdBy-flag', (id) => cloud.api.untagLoadBalancer(id, [CREATED_BY_TAG], NEVER)],
    ['the tag of another Service', (id) => cloud.api.tagLoadBalancer(id, { [SERVICE_TAG]: 'uid-other' }, NEVER)],
    ['the annotation loadbalance-retain', async () => rig.annotate('web', { retain: 'true' })],
  ])('with %s keeps the load balancer, without our listeners', async (_title, change) => {
    rig.put(owner('web'))
    await rig.settle('web')
    const { id } = await only()
    await change(id)
    rig.leave('web')
    expect((await rig.settle('web')).isReleased).toBe(true)
    expect((await only()).id).toBe(id)
    expect(await listenersOf(id)).toEqual([])
  })

  it('of a kept one may be a beginning as one of the user’s', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    const { id } = await only()
    await cloud.api.tagLoadBalancer(id, { 'tke-lifecycle-owner': 'user' }, NEVER)
    rig.leave('web')
    await rig.settle('web')
    rig.put(owner('again', { annotations: { existedId: id } }))
    expect(reasons(await rig.settle('again'))).toEqual([])
  })

  it('in mode skip changes nothing at all', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    const { id, tags } = await only()
    rig.annotate('web', { mode: 'skip' })
    rig.edit('web', { listeners: [listener('TCP', 81)] })
    await rig.settle('web', 'full')
    expect(await listenersOf(id)).toEqual(['TCP 80 127.0.0.1:30080*10'])
    rig.leave('web')
    expect((await rig.settle('web')).isReleased).toBe(true)
    expect(await listenersOf(id)).toEqual(['TCP 80 127.0.0.1:30080*10'])
    expect((await only()).tags).toEqual(tags)
  })

  it('of one that somebody deleted is no failure', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    await cloud.api.deleteLoadBalancer((await only()).id, NEVER)
    rig.leave('web')
    expect((await rig.settle('web')).isReleased).toBe(true)
  })

  it('waits for the task, and comes again when that fails', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    rig.leave('web')
    await fault({ kind: 'fail-task', action: 'DeleteLoadBalancer', times: 1 })
    await expect(rig.settle('web')).rejects.toMatchObject({ failure: 'unavailable' })
    expect(rig.has('web')).toBe(true)
    expect((await rig.settle('web', 'full')).isReleased).toBe(true)
    expect(await all()).toEqual([])
  })
})

describe('what is there already', () => {
  it('costs no call while nothing changes, and reads only in a full look', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    await cloud.control('DELETE', '/calls')
    await rig.settle('web', 'changed')
    expect(await calls()).toEqual({})
    await rig.settle('web', 'full')
    expect(await calls()).toEqual({ DescribeLoadBalancers: 1, DescribeListeners: 1, DescribeTargets: 1 })
  })

  it('costs two calls for a pod that is replaced, and one to let it go', async () => {
    const ports = (text: string) => [listener('TCP', 80, { endpoints: [endpoint(text)] })]
    rig.put(owner('web', { annotations: { directAccess: 'true' }, listeners: ports('127.0.0.1:18080') }))
    await rig.settle('web')
    await cloud.control('DELETE', '/calls')
    rig.edit('web', { listeners: ports('127.0.0.1:18081') })
    await rig.settle('web')
    const { DescribeTaskStatus: _, ...made } = await calls()
    expect(made).toEqual({ BatchRegisterTargets: 1, BatchModifyTargetWeight: 1, BatchDeregisterTargets: 1 })
  })

  it('that was edited by hand is put right, and told', async () => {
    rig.put(owner('web', { listeners: [listener('TCP', 80), listener('TCP', 81)] }))
    await rig.settle('web')
    const { id } = await only()
    const [first] = (await cloud.api.describeListeners(id, NEVER)).filter(({ port }) => port === 80)
    await cloud.api.deleteListeners(id, [first?.id ?? ''], NEVER)
    await rig.settle('web', 'full')
    expect(await listenersOf(id)).toEqual(['TCP 80 127.0.0.1:30080*10', 'TCP 81 127.0.0.1:30081*10'])
    expect(rig.repaired).toEqual([`create listeners (${id})`, `register (${id})`])
  })

  it('that somebody deleted is made anew, once', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    const before = await only()
    await cloud.api.deleteLoadBalancer(before.id, NEVER)
    const { ingress } = await rig.settle('web', 'full')
    expect((await only()).id).not.toBe(before.id)
    expect(ingress).toMatchObject([{ ip: (await only()).vips[0] }])
    expect(rig.lives).toBe(1)
  })

  it('of another cluster is left alone', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    const { id } = await only()
    await cloud.api.tagLoadBalancer(id, { [CLUSTER_TAG]: 'cls-other' }, NEVER)
    rig.edit('web', { listeners: [listener('TCP', 81)] })
    expect(reasons(await rig.settle('web', 'full'))).toEqual(['TagsChanged'])
    expect(await listenersOf(id)).toEqual(['TCP 80 127.0.0.1:30080*10'])
  })

  it('whose mark was taken away serves on, and the user is told', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    await cloud.api.untagLoadBalancer((await only()).id, [CREATED_BY_TAG], NEVER)
    const outcome = await rig.settle('web', 'full')
    expect(reasons(outcome)).toEqual(['TagsChanged'])
    expect(outcome.ingress).toHaveLength(1)
  })
})

describe('edits', () => {
  it.each<[string, Parameters<Rig['annotate']>[1], string]>([
    ['public to internal', { subnetId: 'subnet-a1' }, 'UnsafeSwitch'],
    ['the bandwidth', { bandwidth: '9' }, 'OnlyAtCreation'],
    ['the fields of creation', { extensive: '{"VipIsp":"CMCC"}' }, 'OnlyAtCreation'],
  ])('of %s change nothing, and are told', async (_title, texts, reason) => {
    rig.put(owner('web'))
    await rig.settle('web')
    const before = await only()
    rig.annotate('web', texts)
    const outcome = await rig.settle('web', 'full')
    expect(reasons(outcome)).toEqual([reason])
    expect(outcome.ingress).toHaveLength(1)
    expect(await only()).toEqual({ ...before, targetCount: 1 })
    rig.annotate('web', Object.fromEntries(Object.keys(texts).map((name) => [name, undefined])))
    expect(reasons(await rig.settle('web'))).toEqual([])
  })

  it('from a load balancer of its own to one of the user’s are blocked', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    rig.annotate('web', { existedId: 'lb-12345678' })
    expect(rig.claim('web')).toMatchObject({ kind: 'ours', key: 'service/uid-web', problems: [{ reason: 'UnsafeSwitch' }] })
  })

  it('of security groups and pass-to-target are followed', async () => {
    rig.put(owner('web', { annotations: { securityGroups: 'sg-a1', passToTarget: 'true' } }))
    await rig.settle('web')
    expect(await only()).toMatchObject({ securityGroups: ['sg-a1'], passToTarget: true })
    rig.annotate('web', { securityGroups: '', passToTarget: 'false' })
    await rig.settle('web')
    expect(await only()).toMatchObject({ securityGroups: [], passToTarget: false })
  })

  it('of a TkeServiceConfig are followed, and its absence changes nothing', async () => {
    const config = (scheduler: 'WRR' | 'LEAST_CONN') => ({
      apiVersion: 'cloud.tencent.com/v1alpha1',
      kind: tkeServiceConfigKind.kind,
      metadata: { name: 'c', namespace: 'default' },
      spec: {
        loadBalancer: { l4Listeners: [{ protocol: 'TCP' as const, port: 80, scheduler, healthCheck: { enable: false } }] },
      },
    })
    rig.objects.putConfig('default/c', config('LEAST_CONN'))
    rig.put(owner('web', { annotations: { config: 'c' } }))
    await rig.settle('web')
    const read = async () => (await cloud.api.describeListeners((await only()).id, NEVER))[0]?.settings
    expect(await read()).toMatchObject({ scheduler: 'LEAST_CONN', healthCheck: { isOn: false } })
    const told: string[] = []
    const stop = rig.provider.onChange((key) => told.push(key))
    rig.objects.putConfig('default/c', config('WRR'))
    expect(told).toEqual(['service/uid-web'])
    await rig.settle('web')
    expect(await read()).toMatchObject({ scheduler: 'WRR' })
    rig.objects.putConfig('default/c', undefined)
    expect(reasons(await rig.settle('web'))).toEqual(['TkeServiceConfigMissing'])
    expect(await read()).toMatchObject({ scheduler: 'WRR', healthCheck: { isOn: false } })
    stop()
  })

  it('to HTTP make another listener with a rule for each host', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    rig.annotate('web', { protocols: '{"80":{"protocol":["HTTP"],"hosts":{"a.b":{},"c.d":{}}}}' })
    const { ingress } = await rig.settle('web')
    const { id } = await only()
    expect(await listenersOf(id)).toEqual(['HTTP 80', 'HTTP 80 a.b/ 127.0.0.1:30080*10', 'HTTP 80 c.d/ 127.0.0.1:30080*10'])
    expect(ingress[0]?.ipMode).toBe('Proxy')
    rig.annotate('web', { protocols: '{"80":{"protocol":["HTTP"],"hosts":{"c.d":{}}}}' })
    await rig.settle('web')
    expect(await listenersOf(id)).toEqual(['HTTP 80', 'HTTP 80 c.d/ 127.0.0.1:30080*10'])
  })
})

describe('failures', () => {
  it('of one listener keep no other back', async () => {
    rig.put(
      owner('web', {
        annotations: { protocols: '{"80":{"protocol":["TCP_SSL"],"tls":"s"}}' },
        listeners: [listener('TCP', 80), listener('TCP', 81)],
      }),
    )
    rig.objects.putCertificate('default/s', { ids: ['no-such-certificate'] })
    const { problems, ingress } = await rig.settle('web')
    expect(problems).toMatchObject([{ reason: 'ListenerFailed', message: expect.stringContaining('no-such-certificate') }])
    expect(ingress[0]?.ports).toEqual([
      { port: 80, protocol: 'TCP', error: 'ListenerFailed' },
      { port: 81, protocol: 'TCP' },
    ])
    expect(await listenersOf((await only()).id)).toEqual(['TCP 81 127.0.0.1:30081*10'])
  })

  it('of a part of a batch are told for its listener, and put right later', async () => {
    await fault({ kind: 'partial', action: 'BatchRegisterTargets', listeners: 1, times: 1 })
    rig.put(owner('web', { listeners: [listener('TCP', 80), listener('TCP', 81)] }))
    expect(reasons(await rig.settle('web'))).toEqual(['ListenerFailed'])
    expect(reasons(await rig.settle('web'))).toEqual([])
    expect(await listenersOf((await only()).id)).toEqual(['TCP 80 127.0.0.1:30080*10', 'TCP 81 127.0.0.1:30081*10'])
  })

  it('of a quota are told, and what was made serves', async () => {
    await cloud.close()
    cloud = await startTestCloud({ quotas: { TOTAL_OPEN_CLB_QUOTA: 1 } as never })
    rig = createRig(cloud)
    rig.put(owner('a'))
    await rig.settle('a')
    rig.put(owner('b'))
    await expect(rig.settle('b')).rejects.toMatchObject({
      failure: 'quota',
      message: expect.stringContaining('TOTAL_OPEN_CLB_QUOTA'),
    })
    expect(await all()).toHaveLength(1)
    rig.leave('a')
    await rig.settle('a')
    expect(reasons(await rig.settle('b'))).toEqual([])
  })

  it('of a creation that was refused let it be corrected', async () => {
    await fault({ kind: 'error', action: 'CreateLoadBalancer', code: 'InvalidParameterValue', times: 2 })
    rig.put(owner('web', { annotations: { extensive: '{"ZoneId":"nowhere"}' } }))
    await expect(rig.settle('web')).rejects.toMatchObject({ failure: 'refused' })
    rig.annotate('web', { extensive: undefined })
    expect(reasons(await rig.settle('web', 'full'))).toEqual([])
    expect(await all()).toHaveLength(1)
  })

  it.each(['CreateLoadBalancer', 'CreateListener', 'BatchRegisterTargets', 'DeleteLoadBalancer', 'DescribeTaskStatus'])(
    'of an answer to %s that is lost lead to no second of anything',
    async (action) => {
      await fault({ kind: 'lose-response', action, times: 1 })
      rig.put(owner('web'))
      await rig.settle('web').catch(() => rig.settle('web', 'full'))
      expect(await listenersOf((await only()).id)).toEqual(['TCP 80 127.0.0.1:30080*10'])
      rig.leave('web')
      await rig.settle('web').catch(() => rig.settle('web', 'full'))
      expect(await all()).toEqual([])
    },
  )

  it('say nothing of the credentials', async () => {
    await fault({
      kind: 'error',
      action: 'CreateLoadBalancer',
      code: 'AuthFailure.SignatureFailure',
      message: 'bad example-key of AKIDexample',
    })
    rig.put(owner('web'))
    const error: unknown = await rig.settle('web').catch((reason: unknown) => reason)
    const text = inspect(error, { depth: 9, showHidden: true })
    expect(text).toContain('AuthFailure')
    expect(text).not.toContain('example-key')
    expect(text).not.toContain('AKIDexample')
  })
})

describe('orphans', () => {
  it('are those of this cluster, with key and token; only what was made may be pruned', async () => {
    rig.put(owner('web'))
    await rig.settle('web')
    const mine = await ready(await lend('mine'))
    await cloud.api.tagLoadBalancer(mine, { [CLUSTER_TAG]: CLUSTER }, NEVER)
    await ready(await lend('foreign'))
    const observed = await rig.provider.observe(NEVER)
    expect(observed.map(({ key, isOwned }) => [key, isOwned]).sort()).toEqual([
      [`clb/${mine}`, false],
      ['service/uid-web', true],
    ])
    for (const each of observed) await rig.provider.prune(each, NEVER).catch(() => undefined)
    expect((await all()).map(({ name }) => name).sort()).toEqual(['foreign', 'mine'])
  })

  it('is not what only looks like ours', async () => {
    const id = await ready(await lend('other'))
    await cloud.api.createListeners(
      id,
      [{ name: listenerName('uid-web'), protocol: 'TCP', port: 80, isSni: false, certificates: [], settings: {} }],
      NEVER,
    )
    expect(await rig.provider.observe(NEVER)).toEqual([])
  })
})
