import type { Listener, Owner, TargetEndpoint, TargetNode } from '../../provider.ts'
import { type CustomWeights, type Settings, selects } from './annotations/index.ts'
import type { PlannedTarget } from './plan.ts'

export interface TargetInput {
  readonly owner: Owner
  readonly listener: Listener
  readonly settings: Settings
  /** The annotation backends-label is set and cannot be read. */
  readonly isSelectorUnknown: boolean
  readonly nodes: readonly TargetNode[]
  /** Of what kind node targets are, and the instance of each node by its name, where it is known. */
  readonly nodeTargets: 'instance' | 'address'
  readonly instances: ReadonlyMap<string, string>
  readonly isIPv6: boolean
}

export interface Targets {
  readonly targets: readonly PlannedTarget[]
  readonly isComplete: boolean
  readonly problem?: { readonly reason: string; readonly message: string }
}

const DEFAULT_WEIGHT = 10
const MAX_WEIGHT = 100

/** Pure: where a port's traffic goes. What is not known is never taken for nothing. */
export const targetsOf = (input: TargetInput): Targets =>
  input.settings.directAccess === true ? podTargets(input) : nodeTargets(input)

const podTargets = ({ listener, settings, isIPv6 }: TargetInput): Targets => {
  const endpoints = listener.endpoints.filter(({ address }) => address.includes(':') === isIPv6)
  const byKey = new Map<string, PlannedTarget>()
  const isFallback = !endpoints.some(({ conditions }) => conditions.ready && !conditions.terminating)
  for (const endpoint of endpoints) {
    const planned = podTarget(endpoint, { settings, listener, isFallback })
    const key = `${planned.id} ${planned.port}`
    // Two slices may hold one address while a pod is replaced: the one that serves counts.
    const before = byKey.get(key)
    if (before === undefined || (before.isOnlyKept && !planned.isOnlyKept)) byKey.set(key, planned)
  }
  return { targets: [...byKey.values()], isComplete: true }
}

interface PodContext {
  readonly settings: Settings
  readonly listener: Listener
  /** None is ready: those that still serve while they end have the traffic (KEP-1669). */
  readonly isFallback: boolean
}

const podTarget = ({ address, port, conditions, pod }: TargetEndpoint, context: PodContext): PlannedTarget => {
  const { settings, listener, isFallback } = context
  const weight = podWeight(settings.weights, listener, pod?.name)
  const target = { kind: 'address', id: address, port } as const
  if (conditions.terminating) return { ...target, weight: isFallback && conditions.serving ? weight : 0, isOnlyKept: true }
  if (conditions.ready) return { ...target, weight, isOnlyKept: false }
  return { ...target, weight: settings.graceNotReady === false ? weight : 0, isOnlyKept: true }
}

const podWeight = (weights: CustomWeights | undefined, { protocol, port }: Listener, pod: string | undefined): number => {
  const group = weights?.groups.find((each) => each.protocol === protocol && each.port === port)
  const own = pod === undefined ? undefined : group?.byPod.get(pod)
  return own ?? weights?.defaultWeight ?? DEFAULT_WEIGHT
}

const nodeTargets = (input: TargetInput): Targets => {
  const { listener, settings, nodes, owner, isSelectorUnknown } = input
  const { nodePort } = listener
  if (nodePort === undefined) {
    const message = `port ${listener.port} has no node port; set the annotation service.cloud.tencent.com/direct-access to "true" or allocateLoadBalancerNodePorts`
    return { targets: [], isComplete: false, problem: { reason: 'NoNodePort', message } }
  }
  if (isSelectorUnknown) return { targets: [], isComplete: false }
  const { backendsLabel } = settings
  const selected = backendsLabel === undefined ? nodes : nodes.filter(({ labels }) => selects(backendsLabel, labels))
  if (backendsLabel !== undefined && selected.length === 0) {
    const message =
      'the annotation service.kubernetes.io/qcloud-loadbalancer-backends-label matches no node; the targets stay as they are'
    return { targets: [], isComplete: false, problem: { reason: 'NoNodeSelected', message } }
  }
  const pods = podsByNode(listener.endpoints)
  const onlyWithPods = owner.externalTrafficPolicy === 'Local' && settings.onlyNodesWithPod === true
  const wanted = onlyWithPods ? selected.filter(({ name }) => pods.has(name)) : selected
  const weightOf = (name: string): number =>
    onlyWithPods && settings.weightByPods === true
      ? Math.min(pods.get(name) ?? 0, MAX_WEIGHT)
      : (settings.weights?.defaultWeight ?? DEFAULT_WEIGHT)
  const targets = wanted.flatMap((node) => {
    const name = nodeTarget(node, input)
    return name === undefined ? [] : [{ ...name, port: nodePort, weight: weightOf(node.name), isOnlyKept: false }]
  })
  // No node at all is what a cache that is not complete looks like.
  return { targets, isComplete: targets.length === wanted.length && nodes.length > 0 }
}

/** Nodes with endpoints that serve; as for the proxy, those that end count when there are no others. */
const podsByNode = (endpoints: readonly TargetEndpoint[]): ReadonlyMap<string, number> => {
  const ready = endpoints.filter(({ conditions }) => conditions.ready && !conditions.terminating)
  const serving = ready.length > 0 ? ready : endpoints.filter(({ conditions }) => conditions.serving)
  const counts = new Map<string, number>()
  for (const { nodeName } of serving) if (nodeName !== undefined) counts.set(nodeName, (counts.get(nodeName) ?? 0) + 1)
  return counts
}

const nodeTarget = (
  node: TargetNode,
  { nodeTargets: kind, instances, isIPv6 }: TargetInput,
): Pick<PlannedTarget, 'kind' | 'id'> | undefined => {
  if (kind === 'address') {
    const address = node.addresses.find((each) => each.includes(':') === isIPv6)
    return address === undefined ? undefined : { kind, id: address }
  }
  const id = instanceOf(node) ?? instances.get(node.name)
  return id === undefined ? undefined : { kind, id }
}

/** The instance that a node says it is: `qcloud:///800002/ins-1a2b3c4d`. */
export const instanceOf = ({ providerID }: Pick<TargetNode, 'providerID'>): string | undefined =>
  /^(?:qcloud|tencentcloud):\/\/.*\/(ins-[a-z0-9-]+)$/.exec(providerID ?? '')?.[1]
