import { decodeEntry } from '../cache/index.ts'
import { objectKey } from '../registry/keys.ts'
import { type Handler, objectAnswer } from './context.ts'
import { resourceNotFound } from './resources.ts'

/** GET of one object, always the latest. */
export const get: Handler = async (context, { target, namespace, name = '' }) => {
  const { hub } = target
  const key = objectKey(hub, hub.namespaced ? namespace : undefined, name)
  const entry = await context.store.get(key)
  if (entry === undefined) throw resourceNotFound(target, name)
  // The cache's copy of the same revision is shared with watches, and encoded once.
  const cached = context.caches.of(hub).get(key)
  const isCurrent = cached?.metadata.resourceVersion === String(entry.modRevision)
  return objectAnswer(target.fromHub(isCurrent ? cached : decodeEntry(entry)))
}
