import type { JudgedEndpoint, Judgement, NodeView } from './forwarding.ts'
import type { SliceEndpoint } from './slice-endpoints.ts'

export interface UsableEndpoints {
  readonly hints: 'none' | 'node' | 'zone'
  readonly judged: readonly JudgedEndpoint[]
}

/**
 * Which endpoints serve policy Cluster and policy Local on this node, each with its reason (the rules of kube-proxy's topology.go):
 * ready ones that pass the hint filter, else those that still serve while they terminate; the same for this node's own, without hints.
 */
export const usableEndpoints = (endpoints: readonly SliceEndpoint[], node: Pick<NodeView, 'name' | 'zone'>): UsableEndpoints => {
  const ready = endpoints.filter((endpoint) => endpoint.conditions.ready)
  const isLocal = (endpoint: SliceEndpoint): boolean => endpoint.nodeName === node.name
  const hints = hintFilter(ready, node)
  const someReady = ready.length > 0
  const someReadyHere = ready.some(isLocal)
  const all = endpoints.map((endpoint) => {
    const here = isLocal(endpoint)
    return judged(endpoint, {
      isLocal: here,
      cluster: judgeCluster(endpoint, { hints, someReady, node }),
      local: here ? judge(endpoint, someReadyHere) : ('OnOtherNode' as const),
    })
  })
  return { hints, judged: all }
}

/** Written out, and whole where nothing is missing: `...rest` gives each object a hidden class of its own, which is three times its size. */
const judged = (
  { address, port, conditions, nodeName, zone, pod, slice }: SliceEndpoint,
  { isLocal, cluster, local }: Pick<JudgedEndpoint, 'isLocal' | 'cluster' | 'local'>,
): JudgedEndpoint => {
  if (nodeName !== undefined && zone !== undefined && pod !== undefined)
    return { address, port, conditions, nodeName, zone, pod, slice, isLocal, cluster, local }
  return {
    address,
    port,
    conditions,
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    ...(pod === undefined ? {} : { pod }),
    slice,
    isLocal,
    cluster,
    local,
  }
}

/** All or nothing: a filter holds only when every ready endpoint has a hint of its sort and some hint names this node or its zone. */
const hintFilter = (ready: readonly SliceEndpoint[], node: Pick<NodeView, 'name' | 'zone'>): UsableEndpoints['hints'] => {
  const { name, zone } = node
  if (ready.every(({ forNodes }) => forNodes.length > 0) && ready.some(({ forNodes }) => forNodes.includes(name))) return 'node'
  if (zone === undefined || zone === '') return 'none'
  if (ready.every(({ forZones }) => forZones.length > 0) && ready.some(({ forZones }) => forZones.includes(zone))) return 'zone'
  return 'none'
}

interface ClusterRules {
  readonly hints: UsableEndpoints['hints']
  readonly someReady: boolean
  readonly node: Pick<NodeView, 'name' | 'zone'>
}

const judgeCluster = (endpoint: SliceEndpoint, { hints, someReady, node }: ClusterRules): Judgement => {
  const judgement = judge(endpoint, someReady)
  if (judgement !== 'Ready') return judgement
  switch (hints) {
    case 'none':
      return 'Ready'
    case 'node':
      return endpoint.forNodes.includes(node.name) ? 'HintedForThisNode' : 'HintedForOtherNode'
    case 'zone':
      return endpoint.forZones.includes(node.zone ?? '') ? 'HintedForThisZone' : 'HintedForOtherZone'
    default:
      return hints satisfies never
  }
}

const judge = ({ conditions }: SliceEndpoint, someReady: boolean): Judgement => {
  if (conditions.ready) return 'Ready'
  if (!conditions.serving || !conditions.terminating) return 'NotReady'
  return someReady ? 'Terminating' : 'ServingWhileTerminating'
}
