import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { http, https, LoadBalancerId, refusal, rule, tcp } from './testing/base-state.ts'

describe('any JSON', () => {
  const ListenerId = http
  const Targets = [{ EniIp: '10.0.9.1', Port: 80, Weight: 1 }]
  const RewriteInfos = [{ SourceLocationId: rule?.id, TargetLocationId: 'loc-x' }]
  const wellFormed: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    CreateLoadBalancer: {
      LoadBalancerType: 'OPEN',
      Tags: [{ TagKey: 'a', TagValue: 'b' }],
      InternetAccessible: {},
      ClientToken: 't',
      Number: 2,
    },
    DescribeLoadBalancers: {
      Filters: [{ Name: 'tag:a', Values: ['b'] }],
      Limit: 5,
      OrderBy: 'Domain',
      SearchKey: 'x',
      WithRs: 1,
    },
    DeleteLoadBalancer: { LoadBalancerIds: [LoadBalancerId], ForceDelete: true },
    ModifyLoadBalancerAttributes: { LoadBalancerId, LoadBalancerName: 'x', DeleteProtect: true },
    SetLoadBalancerSecurityGroups: { LoadBalancerId, SecurityGroups: ['sg-a'] },
    CreateListener: {
      LoadBalancerId,
      Ports: [9],
      Protocol: 'TCP',
      HealthCheck: { CheckType: 'TCP', CheckPort: 1 },
      SessionExpireTime: 30,
    },
    ModifyListener: { LoadBalancerId, ListenerId: tcp, HealthCheck: {}, Scheduler: 'WRR' },
    DeleteLoadBalancerListeners: { LoadBalancerId, ListenerIds: [tcp] },
    CreateRule: { LoadBalancerId, ListenerId, Rules: [{ Domain: 'x.com', Url: '/' }] },
    ModifyRule: { LoadBalancerId, ListenerId, LocationId: rule?.id, Url: '/x' },
    ModifyDomainAttributes: { LoadBalancerId, ListenerId, Domain: 'a.com', NewDomain: 'c.com', DefaultServer: true },
    DeleteRule: { LoadBalancerId, ListenerId, Domain: 'a.com', Url: '/' },
    ManualRewrite: { LoadBalancerId, SourceListenerId: http, TargetListenerId: http, RewriteInfos },
    DeleteRewrite: { LoadBalancerId, SourceListenerId: http, TargetListenerId: http, RewriteInfos },
    AutoRewrite: { LoadBalancerId, ListenerId: https, Domains: ['a.com'], RewriteCodes: [301] },
    RegisterTargets: { LoadBalancerId, ListenerId, Domain: 'a.com', Url: '/', Targets },
    BatchRegisterTargets: { LoadBalancerId, Targets: [{ ListenerId: tcp, ...Targets[0] }] },
    BatchModifyTargetWeight: { LoadBalancerId, ModifyList: [{ ListenerId: tcp, Targets, Weight: 1 }] },
    DescribeTargets: { LoadBalancerId, Filters: [{ Name: 'tag', Values: ['x'] }] },
    DescribeTargetHealth: { LoadBalancerIds: [LoadBalancerId], ListenerIds: [tcp] },
    DescribeTaskStatus: { TaskId: 'x', DealName: 'y' },
  }

  it.each(Object.entries(wellFormed))('in any field of %s is answered, and never breaks the state', (name, request) => {
    const changed = fc
      .tuple(fc.constantFrom(...Object.keys(request)), fc.jsonValue())
      .map(([key, value]) => ({ ...request, [key]: value }))
    fc.assert(
      fc.property(fc.oneof(changed, fc.jsonValue()), (any) => {
        const outcome = refusal(name, any)
        expect(outcome).toMatch(
          /^(success|MissingParameter|UnknownParameter|InvalidParameter|InvalidParameterValue|UnsupportedOperation|LimitExceeded|FailedOperation|ResourceInsufficient)/,
        )
      }),
      { numRuns: 200 },
    )
  })
})
