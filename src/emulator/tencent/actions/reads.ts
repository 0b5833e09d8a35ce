import { CloudError, noListener } from '../errors.ts'
import { isLayer7, type Listener, type LoadBalancer, type Rule, type Task } from '../model.ts'
import { list, numberOf, type Of, oneOf, optional, record, text, whole } from '../shape.ts'
import type { State } from '../state.ts'
import { type Action, action, answer, type Context, existing, notModelled, type Outcome } from './action.ts'
import { describeListener, describeLoadBalancer, describeTarget } from './describe.ts'

const filter = record({ Name: text(), Values: list(text({ min: 0 }), 1, 100) })
type Filter = Of<typeof filter>

const loadBalancers = record({
  LoadBalancerIds: optional(list(text(), 0, 20)),
  LoadBalancerType: optional(oneOf('OPEN', 'INTERNAL')),
  Forward: optional(numberOf(-1, 0, 1)),
  LoadBalancerName: optional(text()),
  Domain: optional(text()),
  LoadBalancerVips: optional(list(text(), 0, 20)),
  BackendPublicIps: notModelled,
  BackendPrivateIps: optional(list(text(), 0, 20)),
  Offset: optional(whole(0, 2 ** 31)),
  Limit: optional(whole(1, 100)),
  OrderBy: optional(oneOf('LoadBalancerName', 'CreateTime', 'Domain', 'LoadBalancerType')),
  OrderType: optional(numberOf(0, 1)),
  SearchKey: optional(text()),
  ProjectId: optional(whole(-1, 2 ** 31)),
  WithRs: optional(numberOf(0, 1)),
  VpcId: optional(text()),
  SecurityGroup: optional(text()),
  MasterZone: optional(text()),
  Filters: optional(list(filter, 0, 10)),
  AdditionalFields: optional(list(text(), 0, 10)),
})

type Query = Of<typeof loadBalancers>
type Test = (one: LoadBalancer) => boolean

const describeLoadBalancers = (state: State, query: Query): Outcome => {
  const tests = [...testsOf(query), ...(query.Filters ?? []).map((one) => filterTest(state, one))]
  const found = [...state.loadBalancers.values()].filter((one) => tests.every((test) => test(one)))
  const sorted = found.sort(orderOf(query))
  const { Offset = 0, Limit = 20 } = query
  return answer({
    TotalCount: sorted.length,
    LoadBalancerSet: sorted.slice(Offset, Offset + Limit).map((one) => describeLoadBalancer(one, state.tags.get(one.id))),
  })
}

const testsOf = (query: Query): readonly Test[] => {
  const { LoadBalancerIds: ids, LoadBalancerVips: vips, BackendPrivateIps: backends } = query
  const wanted: readonly (Test | undefined | false)[] = [
    ids !== undefined && ids.length > 0 && (({ id }) => ids.includes(id)),
    query.LoadBalancerType !== undefined && (({ type }) => type === query.LoadBalancerType),
    query.Forward === 0 && (() => false),
    query.LoadBalancerName !== undefined && (({ name }) => name === query.LoadBalancerName),
    query.Domain !== undefined && (({ domain }) => domain === query.Domain),
    vips !== undefined && vips.length > 0 && (({ vip }) => vips.includes(vip)),
    backends !== undefined &&
      backends.length > 0 &&
      ((one) =>
        one.listeners
          .flatMap(({ targets, rules }) => [...targets, ...rules.flatMap((rule) => rule.targets)])
          .some(({ address }) => backends.includes(address))),
    query.SearchKey !== undefined &&
      (({ name, vip, domain }) => [name, vip, domain].some((one) => one?.includes(query.SearchKey ?? ''))),
    query.ProjectId !== undefined && query.ProjectId >= 0 && (({ projectId }) => projectId === query.ProjectId),
    query.WithRs !== undefined && ((one) => hasTargets(one) === (query.WithRs === 1)),
    query.VpcId !== undefined && (({ vpcId }) => vpcId === query.VpcId),
    query.SecurityGroup !== undefined && (({ securityGroups }) => securityGroups.includes(query.SecurityGroup ?? '')),
    query.MasterZone !== undefined && (({ zone }) => zone === query.MasterZone),
  ]
  return wanted.filter((test) => typeof test === 'function')
}

const hasTargets = ({ listeners }: LoadBalancer): boolean =>
  listeners.some(({ targets, rules }) => targets.length > 0 || rules.some((rule) => rule.targets.length > 0))

/** Between values one is enough, between filters all are needed. */
const filterTest = (state: State, { Name, Values }: Filter): Test => {
  if (Name.startsWith('tag:')) {
    const key = Name.slice('tag:'.length)
    return ({ id }) => {
      const tags = state.tags.get(id) ?? {}
      return Object.hasOwn(tags, key) && Values.includes(tags[key] ?? '')
    }
  }
  const field = FILTERS[Name]
  if (field === undefined)
    throw new CloudError(
      'InvalidParameterValue.InvalidFilter',
      `The filter ${JSON.stringify(Name.slice(0, 80))} is not supported.`,
    )
  return (one) => field(one, state.tags.get(one.id) ?? {}).some((value) => Values.includes(value))
}

const FILTERS: Readonly<Record<string, (one: LoadBalancer, tags: Readonly<Record<string, string>>) => readonly string[]>> = {
  'tag-key': (_, tags) => Object.keys(tags),
  'tag-value': (_, tags) => Object.values(tags),
  'charge-type': ({ chargeType }) => [chargeType],
  'internet-charge-type': ({ internet }) => (internet === undefined ? [] : [internet.chargeType]),
  'master-zone-id': ({ zone }) => [zone],
  'load-balancer-id': ({ id }) => [id],
  'vpc-id': ({ vpcId }) => [vpcId],
}

/** By creation, newest first, when nothing else is asked for; equal ones by id. */
const orderOf = ({ OrderBy = 'CreateTime', OrderType = 1 }: Query): ((a: LoadBalancer, b: LoadBalancer) => number) => {
  const keyOf = (one: LoadBalancer): string | number => {
    if (OrderBy === 'LoadBalancerName') return one.name
    if (OrderBy === 'LoadBalancerType') return one.type
    return OrderBy === 'Domain' ? (one.domain ?? '') : one.createdAt
  }
  const sign = OrderType === 1 ? -1 : 1
  return (a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)]
    if (left === right) return a.id < b.id ? -1 : 1
    return left < right ? -sign : sign
  }
}

const listenersQuery = record({
  LoadBalancerId: text(),
  ListenerIds: optional(list(text(), 0, 100)),
  Protocol: optional(oneOf('TCP', 'UDP', 'TCP_SSL', 'QUIC', 'HTTP', 'HTTPS')),
  Port: optional(whole(1, 65_535)),
})

const describeListeners = (state: State, query: Of<typeof listenersQuery>): Outcome => {
  const listeners = chosen(existing(state, query.LoadBalancerId), query)
  return answer({ TotalCount: listeners.length, Listeners: listeners.map(describeListener) })
}

const chosen = (
  { listeners }: LoadBalancer,
  { ListenerIds: ids = [], Protocol, Port }: Pick<Of<typeof listenersQuery>, 'ListenerIds' | 'Protocol' | 'Port'>,
): readonly Listener[] => {
  for (const id of ids) if (!listeners.some((one) => one.id === id)) throw noListener(id)
  return listeners.filter(
    ({ id, protocol, port }) =>
      (ids.length === 0 || ids.includes(id)) &&
      (Protocol === undefined || protocol === Protocol) &&
      (Port === undefined || port === Port),
  )
}

const targetsQuery = record({
  LoadBalancerId: text(),
  ListenerIds: optional(list(text(), 0, 20)),
  Protocol: optional(oneOf('TCP', 'UDP', 'TCP_SSL', 'QUIC', 'HTTP', 'HTTPS')),
  Port: optional(whole(1, 65_535)),
  Filters: optional(list(filter, 0, 10)),
})

const describeTargets = (state: State, query: Of<typeof targetsQuery>): Outcome => {
  const filters = query.Filters ?? []
  for (const { Name } of filters)
    if (!['location-id', 'private-ip-address', 'tag'].includes(Name))
      throw new CloudError(
        'InvalidParameterValue.InvalidFilter',
        `The filter ${JSON.stringify(Name.slice(0, 80))} is not supported.`,
      )
  const values = (name: string): readonly string[] | undefined => filters.find(({ Name }) => Name === name)?.Values
  const [locations, addresses, tags] = [values('location-id'), values('private-ip-address'), values('tag')]
  const targetsOf = ({ targets }: Listener | Rule): readonly unknown[] =>
    targets
      .filter(({ address, tag = '' }) => (addresses?.includes(address) ?? true) && (tags?.includes(tag) ?? true))
      .map(describeTarget)
  const listeners = chosen(existing(state, query.LoadBalancerId), query).map((listener) => ({
    ListenerId: listener.id,
    Protocol: listener.protocol,
    Port: listener.port,
    EndPort: 0,
    ...(isLayer7(listener.protocol)
      ? {
          Targets: null,
          Rules: listener.rules
            .filter(({ id }) => locations?.includes(id) ?? true)
            .map((rule) => ({
              LocationId: rule.id,
              Domain: rule.domains[0],
              Url: rule.url,
              Targets: targetsOf(rule),
              FunctionTargets: [],
            })),
        }
      : { Targets: targetsOf(listener), Rules: null }),
  }))
  return answer({ Listeners: listeners })
}

const healthQuery = record({
  LoadBalancerIds: list(text(), 1, 30),
  ListenerIds: optional(list(text(), 0, 30)),
  LocationIds: optional(list(text(), 0, 30)),
})

const describeHealth = (state: State, query: Of<typeof healthQuery>, context: Context): Outcome => {
  const { ListenerIds: ids = [], LocationIds: locations = [] } = query
  const targetsOf = (group: Listener | Rule): readonly unknown[] =>
    group.targets.map((target) => healthOf(group, target, context))
  const of = (one: LoadBalancer): unknown => ({
    LoadBalancerId: one.id,
    LoadBalancerName: one.name,
    Listeners: one.listeners
      .filter(({ id }) => ids.length === 0 || ids.includes(id))
      .map((listener) => ({
        ListenerId: listener.id,
        ListenerName: listener.name,
        Protocol: listener.protocol,
        Port: listener.port,
        // A listener of layer 4 shows its targets in one rule without a name.
        Rules: (isLayer7(listener.protocol) ? listener.rules : [listener])
          .filter(({ id }) => locations.length === 0 || locations.includes(id))
          .map((group) =>
            'url' in group
              ? { LocationId: group.id, Domain: group.domains[0], Url: group.url, Targets: targetsOf(group) }
              : { LocationId: '', Domain: '', Url: '', Targets: targetsOf(group) },
          ),
      })),
  })
  return answer({ LoadBalancers: query.LoadBalancerIds.map((id) => of(existing(state, id))) })
}

const healthOf = (group: Listener | Rule, target: Listener['targets'][number], context: Context): unknown => {
  const detail = context.healthOf(group, target)
  return {
    IP: target.address,
    Port: target.port,
    TargetId: target.kind === 'CVM' ? target.id : '',
    HealthStatus: detail === 'Alive' || detail === 'Close',
    HealthStatusDetail: detail,
    HealthStatusDetial: detail,
    Weight: target.weight,
  }
}

const taskQuery = record({ TaskId: optional(text()), DealName: optional(text()) })
const STATUS: Readonly<Record<Task['status'], number>> = { succeeded: 0, failed: 1, running: 2 }

const describeTask = (state: State, { TaskId, DealName }: Of<typeof taskQuery>): Outcome => {
  if (TaskId === undefined && DealName === undefined)
    throw new CloudError('MissingParameter', 'The request is missing a required parameter `TaskId`.')
  const task =
    TaskId === undefined ? [...state.tasks.values()].find(({ dealName }) => dealName === DealName) : state.tasks.get(TaskId)
  if (task === undefined) throw new CloudError('InvalidParameter', `Task ${TaskId ?? DealName} does not exist.`)
  const isCreation = task.action === 'CreateLoadBalancer'
  return answer({ Status: STATUS[task.status], Message: task.message, LoadBalancerIds: isCreation ? task.loadBalancerIds : [] })
}

const describeQuota = (state: State, _: unknown, { quotas }: Context): Outcome => {
  const count = (wanted: LoadBalancer['type']): number =>
    [...state.loadBalancers.values()].filter(({ type }) => type === wanted).length
  const current: Readonly<Record<string, number>> = {
    TOTAL_OPEN_CLB_QUOTA: count('OPEN'),
    TOTAL_INTERNAL_CLB_QUOTA: count('INTERNAL'),
  }
  const { DELETIONS_IN_5_MINUTES: _unlisted, ...listed } = quotas
  return answer({
    QuotaSet: Object.entries(listed).map(([id, limit]) => ({
      QuotaId: id,
      QuotaCurrent: current[id] ?? null,
      QuotaLimit: limit,
    })),
  })
}

export const readActions: Readonly<Record<string, Action>> = {
  DescribeLoadBalancers: action(loadBalancers, describeLoadBalancers),
  DescribeListeners: action(listenersQuery, describeListeners),
  DescribeTargets: action(targetsQuery, describeTargets),
  DescribeTargetHealth: action(healthQuery, describeHealth),
  DescribeTaskStatus: action(taskQuery, describeTask),
  DescribeQuota: action(record({}), describeQuota),
}
