import { tag } from 'tencentcloud-sdk-nodejs/tencentcloud/services/tag/index.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientsOf, credential, startCloud, type TestCloud } from './testing/cloud.ts'

describe('the official SDK', () => {
  let cloud: TestCloud
  beforeAll(async () => {
    cloud = await startCloud({
      isForwarding: false,
      inventory: {
        instances: [
          { id: 'ins-a', address: '127.0.0.1', privateAddress: '10.0.0.5' },
          { id: 'ins-b', address: '127.0.0.2' },
        ],
        subnets: [{ id: 'subnet-a', cidr: '10.0.0.0/24' }],
      },
      quotas: { TOTAL_LISTENER_QUOTA: 4 },
    })
  })
  afterAll(() => cloud.stop())

  const created = async (name: string, more: object = {}): Promise<string> => {
    const answer = await cloud.clb.CreateLoadBalancer({ LoadBalancerType: 'OPEN', LoadBalancerName: name, ...more })
    await cloud.done(answer)
    return answer.LoadBalancerIds?.[0] ?? ''
  }
  const codeOf = async (call: Promise<unknown>): Promise<string> => {
    try {
      await call
      return 'success'
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    }
  }

  it('creates, finds by tag, changes and deletes a load balancer', async () => {
    const answer = await cloud.clb.CreateLoadBalancer({
      LoadBalancerType: 'OPEN',
      LoadBalancerName: 'web',
      Tags: [{ TagKey: 'tke-clusterId', TagValue: 'cls-1' }],
      ClientToken: 'token-1',
      InternetAccessible: { InternetChargeType: 'TRAFFIC_POSTPAID_BY_HOUR', InternetMaxBandwidthOut: 100 },
    })
    const again = await cloud.clb.CreateLoadBalancer({
      LoadBalancerType: 'OPEN',
      LoadBalancerName: 'web',
      Tags: [{ TagKey: 'tke-clusterId', TagValue: 'cls-1' }],
      ClientToken: 'token-1',
      InternetAccessible: { InternetChargeType: 'TRAFFIC_POSTPAID_BY_HOUR', InternetMaxBandwidthOut: 100 },
    })
    expect(again.LoadBalancerIds).toEqual(answer.LoadBalancerIds)
    await cloud.done(answer)
    const id = answer.LoadBalancerIds?.[0] ?? ''
    const found = await cloud.clb.DescribeLoadBalancers({ Filters: [{ Name: 'tag:tke-clusterId', Values: ['cls-1'] }] })
    expect(found).toMatchObject({
      TotalCount: 1,
      LoadBalancerSet: [
        { LoadBalancerId: id, LoadBalancerName: 'web', Status: 1, LoadBalancerVips: [expect.stringMatching(/^127\.210\./)] },
      ],
    })
    await cloud.done(
      await cloud.clb.ModifyLoadBalancerAttributes({ LoadBalancerId: id, LoadBalancerName: 'web2', DeleteProtect: true }),
    )
    await cloud.clb.SetLoadBalancerSecurityGroups({ LoadBalancerId: id, SecurityGroups: ['sg-1'] })
    expect((await cloud.clb.DescribeLoadBalancers({ LoadBalancerIds: [id] })).LoadBalancerSet?.[0]).toMatchObject({
      LoadBalancerName: 'web2',
      AttributeFlags: ['DeleteProtect'],
      SecureGroups: ['sg-1'],
      NetworkAttributes: { InternetMaxBandwidthOut: 100 },
    })
    expect(await codeOf(cloud.clb.DeleteLoadBalancer({ LoadBalancerIds: [id] }))).toBe('FailedOperation')
    await cloud.done(await cloud.clb.ModifyLoadBalancerAttributes({ LoadBalancerId: id, DeleteProtect: false }))
    await cloud.done(await cloud.clb.DeleteLoadBalancer({ LoadBalancerIds: [id] }))
    expect((await cloud.clb.DescribeLoadBalancers({ LoadBalancerIds: [id] })).TotalCount).toBe(0)
    expect(await codeOf(cloud.clb.DescribeListeners({ LoadBalancerId: id }))).toBe('InvalidParameter.LBIdNotFound')
  })

  it('makes an internal one in a subnet, and a public one with a name', async () => {
    const internal = await created('inside', { LoadBalancerType: 'INTERNAL', SubnetId: 'subnet-a' })
    const named = await created('named', { DynamicVip: true })
    const { LoadBalancerSet = [] } = await cloud.clb.DescribeLoadBalancers({ LoadBalancerIds: [internal, named] })
    expect(LoadBalancerSet.find(({ LoadBalancerId }) => LoadBalancerId === internal)).toMatchObject({
      SubnetId: 'subnet-a',
      LoadBalancerType: 'INTERNAL',
    })
    expect(LoadBalancerSet.find(({ LoadBalancerId }) => LoadBalancerId === named)).toMatchObject({
      LoadBalancerVips: [],
      LoadBalancerDomain: expect.stringContaining(named),
    })
    expect(await codeOf(cloud.clb.CreateLoadBalancer({ LoadBalancerType: 'INTERNAL', SubnetId: 'subnet-zz' }))).toBe(
      'InvalidParameter',
    )
    expect(await codeOf(cloud.clb.CreateLoadBalancer({ LoadBalancerType: 'INTERNAL' }))).toBe('MissingParameter')
  })

  it('drives listeners and targets of layer 4', async () => {
    const id = await created('l4')
    const answer = await cloud.clb.CreateListener({
      LoadBalancerId: id,
      Ports: [80, 81],
      Protocol: 'TCP',
      ListenerNames: ['TKE-LISTENER', 'b'],
      HealthCheck: { IntervalTime: 10 },
    })
    await cloud.done(answer)
    const [first = '', second = ''] = answer.ListenerIds ?? []
    await cloud.done(
      await cloud.clb.ModifyListener({ LoadBalancerId: id, ListenerId: first, Scheduler: 'LEAST_CONN', SessionExpireTime: 60 }),
    )
    expect(await cloud.clb.DescribeListeners({ LoadBalancerId: id, ListenerIds: [first] })).toMatchObject({
      TotalCount: 1,
      Listeners: [
        {
          ListenerName: 'TKE-LISTENER',
          Port: 80,
          Protocol: 'TCP',
          Scheduler: 'LEAST_CONN',
          SessionExpireTime: 60,
          HealthCheck: { IntervalTime: 10 },
        },
      ],
    })
    await cloud.done(
      await cloud.clb.RegisterTargets({
        LoadBalancerId: id,
        ListenerId: first,
        Targets: [{ InstanceId: 'ins-a', Port: 30080, Weight: 7 }],
      }),
    )
    expect(
      await cloud.clb.BatchRegisterTargets({
        LoadBalancerId: id,
        Targets: [
          { ListenerId: first, EniIp: '10.1.2.3', Port: 8080 },
          { ListenerId: second, InstanceId: 'ins-nobody', Port: 1 },
        ],
      }),
    ).toMatchObject({
      FailListenerIdSet: [second],
      Message: expect.stringContaining('ins-nobody'),
    })
    await cloud.done(
      await cloud.clb.ModifyTargetWeight({
        LoadBalancerId: id,
        ListenerId: first,
        Targets: [{ InstanceId: 'ins-a', Port: 30080 }],
        Weight: 0,
      }),
    )
    await cloud.done(
      await cloud.clb.BatchModifyTargetWeight({
        LoadBalancerId: id,
        ModifyList: [{ ListenerId: first, Targets: [{ EniIp: '10.1.2.3', Port: 8080 }], Weight: 50 }],
      }),
    )
    const { Listeners = [] } = await cloud.clb.DescribeTargets({ LoadBalancerId: id, ListenerIds: [first] })
    expect(
      Listeners[0]?.Targets?.map(({ InstanceId, PrivateIpAddresses, Weight }) => [InstanceId, PrivateIpAddresses, Weight]),
    ).toEqual([
      ['ins-a', ['127.0.0.1'], 0],
      ['', ['10.1.2.3'], 50],
    ])
    const health = await cloud.clb.DescribeTargetHealth({ LoadBalancerIds: [id] })
    expect(health.LoadBalancers?.[0]?.Listeners?.[0]?.Rules?.[0]?.Targets?.[1]).toMatchObject({
      IP: '10.1.2.3',
      HealthStatus: true,
      HealthStatusDetail: 'Alive',
    })
    await cloud.done(
      await cloud.clb.DeregisterTargets({
        LoadBalancerId: id,
        ListenerId: first,
        Targets: [{ InstanceId: 'ins-a', Port: 30080 }],
      }),
    )
    await cloud.clb.BatchDeregisterTargets({
      LoadBalancerId: id,
      Targets: [{ ListenerId: first, EniIp: '10.1.2.3', Port: 8080 }],
    })
    expect((await cloud.clb.DescribeTargets({ LoadBalancerId: id, ListenerIds: [first] })).Listeners?.[0]?.Targets).toEqual([])
    await cloud.done(await cloud.clb.DeleteListener({ LoadBalancerId: id, ListenerId: first }))
    await cloud.done(await cloud.clb.DeleteLoadBalancerListeners({ LoadBalancerId: id }))
    expect((await cloud.clb.DescribeListeners({ LoadBalancerId: id })).Listeners).toEqual([])
  })

  it('drives rules, domains and rewrites of layer 7', async () => {
    const id = await created('l7')
    const made = await cloud.clb.CreateListener({ LoadBalancerId: id, Ports: [80], Protocol: 'HTTP' })
    await cloud.done(made)
    const http = made.ListenerIds?.[0] ?? ''
    const rules = await cloud.clb.CreateRule({
      LoadBalancerId: id,
      ListenerId: http,
      Rules: [
        { Domain: 'a.example.com', Url: '/' },
        { Domain: 'a.example.com', Url: '/new', Scheduler: 'IP_HASH' },
      ],
    })
    await cloud.done(rules)
    const [root = '', other = ''] = rules.LocationIds ?? []
    await cloud.done(
      await cloud.clb.ModifyRule({ LoadBalancerId: id, ListenerId: http, LocationId: root, SessionExpireTime: 60 }),
    )
    await cloud.done(
      await cloud.clb.RegisterTargets({
        LoadBalancerId: id,
        ListenerId: http,
        Domain: 'a.example.com',
        Url: '/new',
        Targets: [{ InstanceId: 'ins-b', Port: 80 }],
      }),
    )
    await cloud.done(
      await cloud.clb.ModifyDomainAttributes({
        LoadBalancerId: id,
        ListenerId: http,
        Domain: 'a.example.com',
        NewDomain: 'b.example.com',
      }),
    )
    const target = {
      LoadBalancerId: id,
      SourceListenerId: http,
      TargetListenerId: http,
      RewriteInfos: [{ SourceLocationId: root, TargetLocationId: other, RewriteCode: 301, TakeUrl: true }],
    }
    await cloud.done(await cloud.clb.ManualRewrite(target))
    expect((await cloud.clb.DescribeRewrite({ LoadBalancerId: id })).RewriteSet).toMatchObject([
      { LocationId: root, RewriteTarget: { TargetLocationId: other, RewriteCode: 301 } },
    ])
    expect(await codeOf(cloud.clb.ManualRewrite(target))).toBe('InvalidParameter.RewriteAlreadyExist')
    expect(await codeOf(cloud.clb.DeleteRule({ LoadBalancerId: id, ListenerId: http, LocationIds: [other] }))).toBe(
      'FailedOperation',
    )
    await cloud.done(await cloud.clb.DeleteRewrite(target))
    expect(await codeOf(cloud.clb.DeleteRewrite(target))).toBe('InvalidParameter.SomeRewriteNotFound')
    await cloud.done(await cloud.clb.DeleteRule({ LoadBalancerId: id, ListenerId: http, LocationIds: [other] }))
    expect((await cloud.clb.DescribeListeners({ LoadBalancerId: id })).Listeners?.[0]?.Rules).toMatchObject([
      { LocationId: root, Domain: 'b.example.com', Url: '/', SessionExpireTime: 60, DefaultServer: true },
    ])
  })

  it('tags, and looks up machines and subnets', async () => {
    const id = await created('tagged')
    const name = `qcs::clb:ap-guangzhou:uin/100000000001:clb/${id}`
    expect(
      await cloud.tag.TagResources({
        ResourceList: [name, `${name}x`],
        Tags: [
          { TagKey: 'a', TagValue: '1' },
          { TagKey: 'b', TagValue: '2' },
        ],
      }),
    ).toMatchObject({ FailedResources: [{ Resource: `${name}x` }] })
    const anywhere = new tag.v20180813.Client({
      credential,
      profile: { httpProfile: { endpoint: new URL(cloud.url).host, protocol: 'http://' } },
    })
    expect((await anywhere.GetResources({ TagFilters: [{ TagKey: 'b' }] })).ResourceTagMappingList).toHaveLength(1)
    await cloud.tag.UnTagResources({ ResourceList: [name], TagKeys: ['b'] })
    expect((await cloud.tag.GetResources({ TagFilters: [{ TagKey: 'a', TagValue: ['1'] }] })).ResourceTagMappingList).toEqual([
      { Resource: name, Tags: [{ TagKey: 'a', TagValue: '1' }] },
    ])
    expect(
      (await cloud.cvm.DescribeInstances({ Filters: [{ Name: 'private-ip-address', Values: ['10.0.0.5'] }] })).InstanceSet,
    ).toMatchObject([{ InstanceId: 'ins-a', PrivateIpAddresses: ['10.0.0.5'] }])
    expect((await cloud.vpc.DescribeSubnets({ SubnetIds: ['subnet-a'], Limit: '10' })).SubnetSet).toMatchObject([
      { CidrBlock: '10.0.0.0/24', VpcId: 'vpc-emulator' },
    ])
    expect(await codeOf(cloud.vpc.DescribeSubnets({ SubnetIds: ['subnet-b'] }))).toBe('ResourceNotFound')
  })

  it('hears of quotas, of conflicts and of wrong keys', async () => {
    const id = await created('full')
    await cloud.done(await cloud.clb.CreateListener({ LoadBalancerId: id, Ports: [1, 2, 3, 4], Protocol: 'TCP' }))
    expect(await codeOf(cloud.clb.CreateListener({ LoadBalancerId: id, Ports: [5], Protocol: 'TCP' }))).toBe('LimitExceeded')
    expect(await codeOf(cloud.clb.CreateListener({ LoadBalancerId: id, Ports: [1], Protocol: 'TCP_SSL' }))).toBe(
      'InvalidParameter.PortCheckFailed',
    )
    const { QuotaSet = [] } = await cloud.clb.DescribeQuota()
    expect(QuotaSet.find(({ QuotaId }) => QuotaId === 'TOTAL_LISTENER_QUOTA')).toMatchObject({ QuotaLimit: 4 })
    const port = Number(new URL(cloud.url).port)
    expect(await codeOf(clientsOf(port, { secretId: 'AKIDexample', secretKey: 'wrong' }).clb.DescribeQuota())).toBe(
      'AuthFailure.SignatureFailure',
    )
    expect(await codeOf(clientsOf(port, { secretId: 'nobody', secretKey: 'wrong' }).clb.DescribeQuota())).toBe(
      'AuthFailure.SecretIdNotFound',
    )
  })
})
