import { apiVersionOf, isConflict, isNotFound, type KubeObject } from '../../api/index.ts'
import { type Handler, objectAnswer } from './context.ts'
import { deleteObject } from './delete.ts'
import { decodeDeleteOptions } from './delete-options.ts'
import { selectedObjects, selectionOf } from './selection.ts'

/** DELETE of everything that the selectors select; answers the list of it. */
export const removeCollection: Handler = async (context, request) => {
  const { target } = request
  const { options, dryRun } = decodeDeleteOptions(request)
  const selection = selectionOf(target, request)
  await context.caches.fresh(request.signal)
  const cache = context.caches.of(target.hub)
  const { revision } = context.caches
  const objects = selectedObjects(cache, selection)
  const items: KubeObject[] = []
  for (const { metadata } of objects) {
    try {
      const { namespace, name } = metadata
      const outcome = await deleteObject(context, { resource: target, namespace, name, options, dryRun, user: request.user })
      items.push(target.fromHub(outcome.object))
    } catch (error) {
      // Gone already, or changed into something that the preconditions do not mean.
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }
  const apiVersion = apiVersionOf(target.kind)
  return objectAnswer({ apiVersion, kind: `${target.kind.kind}List`, metadata: { resourceVersion: String(revision) }, items })
}
