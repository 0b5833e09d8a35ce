import { apiVersionOf, isNotFound, type Kind, type OwnerReference } from '../../api/index.ts'
import { errorMessage, type Logger } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import type { OwnerState } from './desired.ts'
import { type GraphNode, isWaitingForDependents, type OwnerGraph } from './graph.ts'

export interface OwnerLookup {
  stateOf(node: GraphNode, reference: OwnerReference, signal: AbortSignal): Promise<OwnerState>
}

export interface OwnerLookupDeps {
  readonly client: Client
  readonly graph: OwnerGraph
  readonly kinds: readonly Kind[]
  readonly log: Logger
}

const REMEMBERED = 500

/** Looks in the graph, and asks the server before it calls an owner absent: its informer may be behind. */
export const createOwnerLookup = ({ client, graph, kinds, log }: OwnerLookupDeps): OwnerLookup => {
  const absent = new Set<string>()
  const ask = async (node: GraphNode, reference: OwnerReference, signal: AbortSignal): Promise<OwnerState> => {
    const kind = kinds.find((candidate) => apiVersionOf(candidate) === reference.apiVersion && candidate.kind === reference.kind)
    const { namespace } = node.object.metadata
    // A kind that we don't serve may exist elsewhere; a namespaced owner of a cluster-wide object cannot be looked up.
    if (!kind || (kind.namespaced && namespace === undefined)) return 'unknown'
    try {
      const owner = await client.get(
        kind,
        { name: reference.name, ...(kind.namespaced && namespace !== undefined ? { namespace } : {}) },
        { signal },
      )
      if (owner.metadata.uid === reference.uid) return isWaitingForDependents(owner) ? 'waiting' : 'solid'
    } catch (error) {
      if (!isNotFound(error)) {
        log.info('an owner could not be looked up; its dependents stay', { owner: reference.name, error: errorMessage(error) })
        throw error
      }
    }
    absent.add(reference.uid)
    const [oldest] = absent
    if (absent.size > REMEMBERED && oldest !== undefined) absent.delete(oldest)
    return 'absent'
  }
  return {
    async stateOf(node, reference, signal) {
      const known = graph.get(reference.uid)
      if (known) return isWaitingForDependents(known.object) ? 'waiting' : 'solid'
      return absent.has(reference.uid) ? 'absent' : ask(node, reference, signal)
    },
  }
}
