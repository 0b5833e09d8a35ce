import { apiVersionOf, type KubeObject } from '../../api/index.ts'
import type { Schema } from '../../schema/index.ts'
import { applyPatch } from '../patch/index.ts'
import { type Handler, objectAnswer, type ResourceRequest } from './context.ts'
import { decodeObject } from './decode.ts'
import { unsupportedMediaType } from './failures.ts'
import { writeOptions } from './options.ts'
import { checkIdentity, updateObject } from './update.ts'

/** PATCH of an object or of its status. */
export const patch: Handler = async (context, request) => {
  const { target, namespace, name = '' } = request
  const options = writeOptions(request, 'PatchOptions')
  if (request.patchType === 'apply') throw applyUnsupported(request)
  let warnings: readonly string[] = []
  const updated = await updateObject(context, {
    resource: target,
    namespace,
    name,
    part: request.subresource === 'status' ? 'status' : 'main',
    dryRun: options.dryRun,
    user: request.user,
    change(old) {
      const patched = patchValue(request, target.fromHub(old), target.kind.schema)
      const decoded = decodeObject(target, patched, options)
      checkIdentity(request, decoded.object)
      warnings = decoded.warnings
      return withVersionOf(decoded.object, old)
    },
  })
  return objectAnswer(target.fromHub(updated), 200, warnings)
}

/** A patch that took the resourceVersion away applies to whatever is there. */
const withVersionOf = (object: KubeObject, old: KubeObject): KubeObject =>
  object.metadata.resourceVersion
    ? object
    : { ...object, metadata: { ...object.metadata, resourceVersion: old.metadata.resourceVersion } }

const applyUnsupported = ({ target }: ResourceRequest) =>
  unsupportedMediaType(
    `server-side apply is not supported by this server yet (application/apply-patch+yaml, ${apiVersionOf(target.kind)} ${target.kind.kind}); ` +
      'use client-side apply: kubectl apply without --server-side',
  )

/** What a request's patch makes of `present`; not yet checked. */
export const patchValue = (request: ResourceRequest, present: unknown, schema: Schema<unknown>): unknown => {
  const { patchType = 'merge' } = request
  if (patchType === 'apply') throw applyUnsupported(request)
  return applyPatch({ type: patchType, schema, current: present, patch: request.body })
}
