import { describe, expect, it } from 'vitest'
import { actionNamed } from './actions/index.ts'
import { defaultQuotas } from './quotas.ts'
import { emptyState, evolve, runningTasks, settle } from './state.ts'
import { base, carriedOut, http, https, LoadBalancerId, only, refusal, rule, run, tcp, tcp2, udp } from './testing/base-state.ts'

describe('a request is refused', () => {
  const listener = { LoadBalancerId, Ports: [9000], Protocol: 'TCP' }
  const rules = (one: object): object => ({ LoadBalancerId, ListenerId: http, Rules: [one] })
  it.each<readonly [what: string, action: string, request: unknown, code: string]>([
    ['that is no object', 'DescribeLoadBalancers', [], 'InvalidParameter'],
    ['with a field that there isn’t', 'DescribeLoadBalancers', { Nope: 1 }, 'UnknownParameter'],
    ['with a field of the prototype', 'DescribeLoadBalancers', JSON.parse('{"__proto__": 1}'), 'UnknownParameter'],
    ['without what is needed', 'CreateLoadBalancer', {}, 'MissingParameter'],
    ['with null for what is needed', 'CreateLoadBalancer', { LoadBalancerType: null }, 'MissingParameter'],
    ['with text for a number', 'DescribeLoadBalancers', { Limit: '20' }, 'InvalidParameter'],
    ['with a fraction for an integer', 'DescribeLoadBalancers', { Limit: 1.5 }, 'InvalidParameter'],
    ['above a range', 'DescribeLoadBalancers', { Limit: 101 }, 'InvalidParameterValue.Range'],
    [
      'with too many ids',
      'DescribeLoadBalancers',
      { LoadBalancerIds: Array.from({ length: 21 }, () => 'lb-a') },
      'InvalidParameterValue.Length',
    ],
    [
      'with an unknown filter',
      'DescribeLoadBalancers',
      { Filters: [{ Name: 'x', Values: ['y'] }] },
      'InvalidParameterValue.InvalidFilter',
    ],
    ['of another type', 'CreateLoadBalancer', { LoadBalancerType: 'BOTH' }, 'InvalidParameterValue'],
    ['of a classic one', 'CreateLoadBalancer', { LoadBalancerType: 'OPEN', Forward: 0 }, 'UnsupportedOperation'],
    ['of IPv6', 'CreateLoadBalancer', { LoadBalancerType: 'OPEN', AddressIPVersion: 'IPV6' }, 'UnsupportedOperation'],
    [
      'internal with bandwidth',
      'CreateLoadBalancer',
      { LoadBalancerType: 'INTERNAL', SubnetId: 'subnet-a', InternetAccessible: {} },
      'InvalidParameter',
    ],
    [
      'in a subnet of another VPC',
      'CreateLoadBalancer',
      { LoadBalancerType: 'INTERNAL', SubnetId: 'subnet-a', VpcId: 'vpc-b' },
      'InvalidParameter',
    ],
    [
      'for an address that is not free',
      'CreateLoadBalancer',
      { LoadBalancerType: 'OPEN', Vip: '9.9.9.9' },
      'ResourceInsufficient',
    ],
    [
      'with a tag twice',
      'CreateLoadBalancer',
      { LoadBalancerType: 'OPEN', Tags: [1, 2].map((n) => ({ TagKey: 'a', TagValue: `${n}` })) },
      'InvalidParameterValue.Duplicate',
    ],
    [
      'with a token that is not ASCII',
      'CreateLoadBalancer',
      { LoadBalancerType: 'OPEN', ClientToken: 'ü' },
      'InvalidParameter.FormatError',
    ],
    [
      'for a load balancer that there isn’t',
      'CreateListener',
      { ...listener, LoadBalancerId: 'lb-none' },
      'InvalidParameter.LBIdNotFound',
    ],
    ['for a port that is taken', 'CreateListener', { ...listener, Ports: [80] }, 'InvalidParameter.PortCheckFailed'],
    ['for a port twice', 'CreateListener', { ...listener, Ports: [1, 1] }, 'InvalidParameterValue.Duplicate'],
    ['with names for other ports', 'CreateListener', { ...listener, ListenerNames: ['a', 'b'] }, 'InvalidParameterValue.Length'],
    ['of TLS without a certificate', 'CreateListener', { ...listener, Protocol: 'TCP_SSL' }, 'MissingParameter'],
    [
      'of an unknown certificate',
      'CreateListener',
      { ...listener, Protocol: 'TCP_SSL', Certificate: { CertId: 'other' } },
      'InvalidParameter',
    ],
    [
      'of TCP with a certificate',
      'CreateListener',
      { ...listener, Certificate: { CertId: 'cert-a' } },
      'InvalidParameter.ProtocolCheckFailed',
    ],
    ['of a session below 30 s', 'CreateListener', { ...listener, SessionExpireTime: 29 }, 'InvalidParameterValue.Range'],
    [
      'of a layer 7 listener with a scheduler',
      'CreateListener',
      { ...listener, Protocol: 'HTTP', Scheduler: 'WRR' },
      'InvalidParameter.ProtocolCheckFailed',
    ],
    [
      'of an HTTP check without a domain',
      'CreateListener',
      { ...listener, HealthCheck: { CheckType: 'HTTP', HttpVersion: 'HTTP/1.1' } },
      'MissingParameter',
    ],
    [
      'of a check that UDP has not',
      'CreateListener',
      { ...listener, Protocol: 'UDP', HealthCheck: { CheckType: 'TCP' } },
      'InvalidParameter.ProtocolCheckFailed',
    ],
    [
      'of a timeout above the interval',
      'CreateListener',
      { ...listener, HealthCheck: { IntervalTime: 3, TimeOut: 4 } },
      'InvalidParameterValue.Range',
    ],
    [
      'of a custom check with odd hex',
      'CreateListener',
      { ...listener, HealthCheck: { CheckType: 'CUSTOM', ContextType: 'HEX', SendContext: 'A', RecvContext: 'AB' } },
      'InvalidParameter.FormatError',
    ],
    ['for a port range', 'CreateListener', { ...listener, EndPort: 9001 }, 'UnsupportedOperation'],
    ['to turn SNI off', 'ModifyListener', { LoadBalancerId, ListenerId: https, SniSwitch: 0 }, 'InvalidParameter'],
    [
      'for rules of a TCP listener',
      'CreateRule',
      { LoadBalancerId, ListenerId: tcp, Rules: [{ Domain: 'c.com', Url: '/' }] },
      'InvalidParameter.ProtocolCheckFailed',
    ],
    ['for a rule that there is', 'CreateRule', rules({ Domain: 'A.com', Url: '/' }), 'InvalidParameterValue.Duplicate'],
    ['for a path without a slash', 'CreateRule', rules({ Domain: 'c.com', Url: 'x' }), 'InvalidParameter.FormatError'],
    ['for two kinds of domains', 'CreateRule', rules({ Domain: 'c.com', Domains: ['d.com'], Url: '/' }), 'InvalidParameter'],
    [
      'for a rule with SNI without a certificate',
      'CreateRule',
      { LoadBalancerId, ListenerId: https, Rules: [{ Domain: 'c.com', Url: '/' }] },
      'MissingParameter',
    ],
    [
      'for a rule that there isn’t',
      'ModifyRule',
      { LoadBalancerId, ListenerId: http, LocationId: 'loc-none' },
      'InvalidParameter.LocationNotFound',
    ],
    [
      'for a domain that there isn’t',
      'ModifyDomainAttributes',
      { LoadBalancerId, ListenerId: http, Domain: 'z.com' },
      'InvalidParameter.LocationNotFound',
    ],
    [
      'to rename a domain onto another',
      'ModifyDomainAttributes',
      { LoadBalancerId, ListenerId: http, Domain: 'a.com', NewDomain: 'b.com' },
      'InvalidParameterValue.Duplicate',
    ],
    ['for AutoRewrite of HTTP', 'AutoRewrite', { LoadBalancerId, ListenerId: http }, 'InvalidParameter.ProtocolCheckFailed'],
    [
      'for a target with two names',
      'RegisterTargets',
      { LoadBalancerId, ListenerId: tcp, Targets: [{ InstanceId: 'ins-a', EniIp: '10.0.0.2', Port: 1 }] },
      'InvalidParameter',
    ],
    [
      'for a target without a name',
      'RegisterTargets',
      { LoadBalancerId, ListenerId: tcp, Targets: [{ Port: 1 }] },
      'MissingParameter',
    ],
    [
      'for an instance that there isn’t',
      'RegisterTargets',
      { LoadBalancerId, ListenerId: tcp, Targets: [{ InstanceId: 'ins-z', Port: 1 }] },
      'InvalidParameter',
    ],
    [
      'for 21 targets',
      'RegisterTargets',
      { LoadBalancerId, ListenerId: tcp, Targets: Array.from({ length: 21 }, (_, n) => ({ EniIp: '10.0.0.9', Port: n + 1 })) },
      'InvalidParameterValue.Length',
    ],
    [
      'for a weight of 101',
      'RegisterTargets',
      { LoadBalancerId, ListenerId: tcp, Targets: [{ EniIp: '10.0.0.2', Port: 1, Weight: 101 }] },
      'InvalidParameterValue.Range',
    ],
    [
      'for a target of another TCP listener',
      'RegisterTargets',
      { LoadBalancerId, ListenerId: tcp2, Targets: [{ EniIp: '10.0.0.1', Port: 80 }] },
      'InvalidParameterValue.Duplicate',
    ],
    [
      'for targets of layer 7 without a rule',
      'RegisterTargets',
      { LoadBalancerId, ListenerId: http, Targets: [{ EniIp: '10.0.0.1', Port: 80 }] },
      'MissingParameter',
    ],
    [
      'for the weight of what is not registered',
      'ModifyTargetWeight',
      { LoadBalancerId, ListenerId: tcp, Targets: [{ EniIp: '10.0.0.5', Port: 80 }], Weight: 1 },
      'InvalidParameter',
    ],
    [
      'for a weight without one',
      'ModifyTargetWeight',
      { LoadBalancerId, ListenerId: tcp, Targets: [{ EniIp: '10.0.0.1', Port: 80 }] },
      'MissingParameter',
    ],
    [
      'for a batch of 501',
      'BatchRegisterTargets',
      { LoadBalancerId, Targets: Array.from({ length: 501 }, (_, n) => ({ ListenerId: tcp, EniIp: '10.0.0.9', Port: n + 1 })) },
      'InvalidParameterValue.Length',
    ],
    [
      'for 10 × 51 weights',
      'BatchModifyTargetWeight',
      {
        LoadBalancerId,
        ModifyList: Array.from({ length: 11 }, () => ({
          ListenerId: tcp,
          Targets: Array.from({ length: 50 }, () => ({ EniIp: '10.0.0.1', Port: 80, Weight: 1 })),
        })),
      },
      'InvalidParameterValue.Length',
    ],
    ['for a task that there isn’t', 'DescribeTaskStatus', { TaskId: 'x' }, 'InvalidParameter'],
    [
      'for the listeners of 21 ids',
      'DeleteLoadBalancerListeners',
      { LoadBalancerId, ListenerIds: Array.from({ length: 21 }, () => tcp) },
      'InvalidParameterValue.Length',
    ],
    ['for the health of nobody', 'DescribeTargetHealth', { LoadBalancerIds: ['lb-none'] }, 'InvalidParameter.LBIdNotFound'],
  ])('%s', (_what, action, request, code) => {
    expect(refusal(action, request)).toBe(code)
  })

  it.each([
    ['2018-03-17', 'Nope', 'InvalidAction'],
    ['2018-03-17', 'constructor', 'InvalidAction'],
    ['2017-01-01', 'DescribeLoadBalancers', 'NoSuchVersion'],
  ])('%s %s', (version, name, code) => {
    expect(() => actionNamed(version, name)).toThrow(expect.objectContaining({ code }))
  })

  it('while a task is at work, and while the load balancer is being made', () => {
    const working = evolve(base, run(base, 'CreateListener', listener).events)
    expect(refusal('CreateListener', { ...listener, Ports: [9001] }, working)).toBe('FailedOperation.ResourceInOperating')
    const making = evolve(emptyState, run(emptyState, 'CreateLoadBalancer', { LoadBalancerType: 'OPEN' }).events)
    expect(refusal('CreateListener', { ...listener, LoadBalancerId: only(making).id }, making)).toBe(
      'FailedOperation.InvalidLBStatus',
    )
  })

  it('above a quota, and above the deletions of 5 minutes unless forced', () => {
    const quotas = { ...defaultQuotas, TOTAL_TARGET_BIND_QUOTA: 1, TOTAL_LISTENER_RULE_QUOTA: 2, DELETIONS_IN_5_MINUTES: 0 }
    expect(
      refusal('RegisterTargets', { LoadBalancerId, ListenerId: tcp, Targets: [{ EniIp: '10.0.0.2', Port: 1 }] }, base, {
        quotas,
      }),
    ).toBe('LimitExceeded')
    expect(refusal('CreateRule', rules({ Domain: 'c.com', Url: '/' }), base, { quotas })).toBe('LimitExceeded')
    expect(refusal('DeleteLoadBalancer', { LoadBalancerIds: [LoadBalancerId] }, base, { quotas })).toBe('FailedOperation')
    expect(refusal('DeleteLoadBalancer', { LoadBalancerIds: [LoadBalancerId], ForceDelete: true }, base, { quotas })).toBe(
      'success',
    )
  })

  it('of the deletion of a prepaid load balancer, and of one with 20 targets unless forced', () => {
    const prepaid = carriedOut(emptyState, 'CreateLoadBalancer', {
      LoadBalancerType: 'OPEN',
      LBChargeType: 'PREPAID',
      LBChargePrepaid: { Period: 1 },
    })
    expect(refusal('DeleteLoadBalancer', { LoadBalancerIds: [only(prepaid).id], ForceDelete: true }, prepaid)).toBe(
      'FailedOperation',
    )
    const Targets = Array.from({ length: 20 }, (_, n) => ({ EniIp: '10.0.1.1', Port: n + 1 }))
    const many = carriedOut(base, 'RegisterTargets', { LoadBalancerId, ListenerId: tcp, Targets })
    expect(refusal('DeleteLoadBalancer', { LoadBalancerIds: [LoadBalancerId] }, many)).toBe('FailedOperation')
    expect(refusal('DeleteLoadBalancer', { LoadBalancerIds: [LoadBalancerId], ForceDelete: true }, many)).toBe('success')
  })

  it('of a ClientToken with other parameters; a creation that failed sets its token free', () => {
    const request = { LoadBalancerType: 'OPEN', ClientToken: 't' }
    const begun = evolve(emptyState, run(emptyState, 'CreateLoadBalancer', request).events)
    expect(run(begun, 'CreateLoadBalancer', request)).toMatchObject({
      response: { LoadBalancerIds: [only(begun).id] },
      events: [],
    })
    expect(refusal('CreateLoadBalancer', { ...request, LoadBalancerName: 'x' }, begun)).toBe('InvalidParameterValue')
    const failed = evolve(begun, settle(begun, runningTasks(begun)[0]?.id ?? '', 'no'))
    expect(failed.loadBalancers.size).toBe(0)
    expect(run(failed, 'CreateLoadBalancer', request).events).not.toEqual([])
  })
})

describe('an answer', () => {
  it('is paged, and ordered', () => {
    const three = ['b', 'c'].reduce(
      (state, name) => carriedOut(state, 'CreateLoadBalancer', { LoadBalancerType: 'OPEN', LoadBalancerName: name }),
      base,
    )
    const page = run(three, 'DescribeLoadBalancers', { OrderBy: 'LoadBalancerName', OrderType: 0, Offset: 1, Limit: 1 }).response
    expect(page).toMatchObject({ TotalCount: 3, LoadBalancerSet: [{ LoadBalancerName: 'c' }] })
  })

  it('tells UDP and TCP apart where ports and targets are shared', () => {
    const shared = carriedOut(base, 'CreateListener', { LoadBalancerId, Ports: [53], Protocol: 'TCP' })
    expect(
      only(shared)
        .listeners.filter(({ port }) => port === 53)
        .map(({ protocol }) => protocol),
    ).toEqual(['UDP', 'TCP'])
    expect(refusal('RegisterTargets', { LoadBalancerId, ListenerId: udp, Targets: [{ EniIp: '10.0.0.1', Port: 80 }] })).toBe(
      'success',
    )
  })

  it('keeps one default domain, which moves when its rules go', () => {
    const gone = carriedOut(base, 'DeleteRule', { LoadBalancerId, ListenerId: http, LocationIds: [rule?.id] })
    expect(only(gone).listeners[0]?.rules).toMatchObject([{ domains: ['b.com'], isDefault: true }])
  })

  it('names the listeners of a batch that failed', () => {
    const Targets = [tcp, tcp2].map((ListenerId, n) => ({ ListenerId, EniIp: '10.0.3.1', Port: n + 1 }))
    const outcome = run(base, 'BatchRegisterTargets', { LoadBalancerId, Targets }, { failingListeners: 1 })
    expect(outcome.response).toMatchObject({ FailListenerIdSet: [tcp] })
    expect(only(evolve(base, outcome.events)).listeners.find(({ id }) => id === tcp2)?.targets).toHaveLength(1)
  })
})
