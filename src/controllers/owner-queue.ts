import { type KubeObject, type LabelSelector, selectorMatches } from '../api/index.ts'
import type { Change, Lister, WorkQueue } from '../informers/index.ts'
import { keyOf } from './loop.ts'
import { controllerOf } from './ownership.ts'
import { candidatesFor } from './selection.ts'
import type { WriteMemory } from './write-memory.ts'

/** An object that selects those that it owns. */
type Owner = KubeObject & { readonly spec: { readonly selector: LabelSelector } }

/** The owners that a change of `object` concerns: its controller, or while it has none whoever may adopt it. */
export const ownersOf = <O extends Owner>(owners: Lister<O>, object: KubeObject): readonly O[] => {
  const { namespace, labels } = object.metadata
  const controller = controllerOf(object)
  if (!controller) return candidatesFor(owners, object).filter(({ spec }) => selectorMatches(spec.selector, labels))
  const owner = owners.get(namespace, controller.name)
  return owner && owner.metadata.uid === controller.uid ? [owner] : []
}

/** A handler that queues whom a changed object belonged to and belongs to. */
export const queueOwners =
  <T extends KubeObject>(owners: Lister<Owner>, queue: WorkQueue, memory: WriteMemory<T>) =>
  (change: Change<T>): void => {
    memory.saw(change)
    const before = change.type === 'updated' ? ownersOf(owners, change.previous) : []
    for (const owner of new Set([...before, ...ownersOf(owners, change.object)])) queue.add(keyOf(owner))
  }
