import type { Clock, Component, Logger } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { DONE, type Outcome } from '../../informers/index.ts'
import type { ControllerInformers } from '../caches.ts'
import { createLoop } from '../loop.ts'
import { applyCollection } from './apply.ts'
import { desiredCollection } from './desired.ts'
import { createOwnerGraph } from './graph.ts'
import { createOwnerLookup } from './owners.ts'

export interface GarbageCollectorDeps {
  readonly client: Client
  readonly informers: Pick<ControllerInformers, 'all'>
  readonly clock: Clock
  readonly log: Logger
}

/** Deletes what has lost its owners, and carries out foreground and orphaning deletions. */
export const createGarbageCollector = ({ client, informers, clock, log }: GarbageCollectorDeps): Component => {
  // Events refer to objects but are never owned.
  const watched = informers.all.filter(({ kind }) => kind.plural !== 'events' && kind.conversion === undefined)
  const graph = createOwnerGraph()
  const lookup = createOwnerLookup({ client, graph, kinds: watched.map(({ kind }) => kind), log })

  const reconcile = async (uid: string, signal: AbortSignal): Promise<Outcome> => {
    const node = graph.get(uid)
    if (!node) return DONE
    const owners = []
    for (const reference of node.object.metadata.ownerReferences ?? []) {
      owners.push({ reference, state: await lookup.stateOf(node, reference, signal) })
    }
    await applyCollection(desiredCollection({ node, dependents: graph.dependentsOf(uid), owners }), client, signal)
    return DONE
  }
  return createLoop({
    name: 'garbage-collector',
    informers: watched.map(({ informer }) => informer),
    watch: (queue) =>
      watched.map(({ kind, informer }) =>
        informer.onChange(({ type, object }) => {
          for (const uid of type === 'deleted' ? graph.remove(object) : graph.set(kind, object)) queue.add(uid)
        }),
      ),
    reconcile,
    workers: 5,
    clock,
    log,
  })
}
