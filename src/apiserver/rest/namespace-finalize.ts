import { apiVersionOf } from '../../api/index.ts'
import { type Handler, objectAnswer } from './context.ts'
import { decodeObject } from './decode.ts'
import { writeOptions } from './options.ts'
import { checkIdentity, specFinalizers, updateObject } from './update.ts'

/** PUT namespaces/NAME/finalize: only `spec.finalizers` changes; the namespace goes when nothing holds it any longer. */
export const finalize: Handler = async (context, request) => {
  const { target, name = '' } = request
  const options = writeOptions(request, 'UpdateOptions')
  const { object, warnings } = decodeObject(target, { apiVersion: apiVersionOf(target.kind), ...Object(request.body) }, options)
  checkIdentity(request, object)
  const finalizers = specFinalizers(object)
  const updated = await updateObject(context, {
    resource: target,
    namespace: undefined,
    name,
    part: 'whole',
    dryRun: options.dryRun,
    user: request.user,
    change: (old) => ({
      ...old,
      metadata: { ...old.metadata, resourceVersion: object.metadata.resourceVersion || old.metadata.resourceVersion },
      spec: { ...('spec' in old ? Object(old.spec) : {}), finalizers },
    }),
  })
  return objectAnswer(target.fromHub(updated), 200, warnings)
}
