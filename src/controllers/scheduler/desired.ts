import type { Container, Node, Pod } from '../../api/index.ts'
import { hasRequiredAffinity } from './affinity.ts'
import type { NodeView } from './snapshot.ts'

export type Placement =
  | { readonly kind: 'node'; readonly name: string }
  /** No node will do; the message counts the reasons as kube-scheduler does. */
  | { readonly kind: 'none'; readonly message: string }

/** The node for a pod: of those that will do, the one with the fewest pods; by name among equals. */
export const placePod = (pod: Pod, nodes: readonly NodeView[]): Placement => {
  const reasons = new Map<string, number>()
  const fitting: NodeView[] = []
  for (const view of nodes) {
    const reason = obstacle(pod, view)
    if (reason === undefined) fitting.push(view)
    else reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  const [best] = fitting.sort((a, b) => a.pods.length - b.pods.length || (a.node.metadata.name < b.node.metadata.name ? -1 : 1))
  if (best) return { kind: 'node', name: best.node.metadata.name }
  if (nodes.length === 0) return { kind: 'none', message: 'no nodes available to schedule pods' }
  const counted = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort()
  return { kind: 'none', message: `0/${nodes.length} nodes are available: ${counted.join(', ')}.` }
}

/** Whether a pod waits for this scheduler. */
export const isWaiting = ({ metadata, spec, status }: Pod): boolean =>
  !spec.nodeName &&
  metadata.deletionTimestamp === undefined &&
  (spec.schedulerName ?? 'default-scheduler') === 'default-scheduler' &&
  (spec.schedulingGates ?? []).length === 0 &&
  status?.phase !== 'Succeeded' &&
  status?.phase !== 'Failed'

const obstacle = (pod: Pod, { node, pods }: NodeView): string | undefined => {
  if (node.metadata.deletionTimestamp !== undefined) return 'node(s) were being deleted'
  if (node.spec?.unschedulable && !isTolerated(pod, { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' })) {
    return 'node(s) were unschedulable'
  }
  if (!isNodeReady(node)) return 'node(s) were not ready'
  const taint = node.spec?.taints?.find((candidate) => candidate.effect !== 'PreferNoSchedule' && !isTolerated(pod, candidate))
  if (taint) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`
  if (!matchesSelector(pod, node) || !hasRequiredAffinity(pod, node)) return "node(s) didn't match Pod's node affinity/selector"
  return portsCollide(pod, pods) ? "node(s) didn't have free ports for the requested pod ports" : undefined
}

const isNodeReady = ({ status }: Node): boolean => status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True'

interface TaintView {
  readonly key: string
  readonly value?: string
  readonly effect: string
}

const isTolerated = ({ spec }: Pod, taint: TaintView): boolean =>
  (spec.tolerations ?? []).some(({ key, operator = 'Equal', value, effect }) => {
    if (effect && effect !== taint.effect) return false
    if (!key) return operator === 'Exists'
    return key === taint.key && (operator === 'Exists' || (value ?? '') === (taint.value ?? ''))
  })

const matchesSelector = ({ spec }: Pod, { metadata }: Node): boolean =>
  Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => metadata.labels?.[key] === value)

const portsCollide = (pod: Pod, others: readonly Pod[]): boolean => {
  const wanted = hostPorts(pod)
  if (wanted.length === 0) return false
  const taken = others.flatMap(hostPorts)
  return wanted.some((a) =>
    taken.some((b) => a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === ANY || b.ip === ANY)),
  )
}

const ANY = ''

const hostPorts = ({ spec }: Pod): readonly { readonly port: number; readonly protocol: string; readonly ip: string }[] =>
  spec.containers.flatMap(({ ports }: Container) =>
    (ports ?? []).flatMap(({ hostPort, protocol, hostIP }) =>
      hostPort
        ? [{ port: hostPort, protocol: protocol ?? 'TCP', ip: hostIP === '0.0.0.0' || hostIP === '::' ? ANY : (hostIP ?? ANY) }]
        : [],
    ),
  )
