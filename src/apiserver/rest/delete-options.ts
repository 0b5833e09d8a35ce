import { badRequest, type DeleteOptions, deleteOptionsSchema, type Problem } from '../../api/index.ts'
import type { ApiRequest } from '../../client/index.ts'
import { checkStructure } from '../../schema/index.ts'
import { isRecord } from './decode.ts'
import { invalidOptions } from './failures.ts'
import { booleanParameter, dryRunOf, integerParameter } from './options.ts'

export interface DeletionRequest {
  readonly options: DeleteOptions
  readonly dryRun: boolean
}

/** DeleteOptions from the body, and from the query for what the body leaves open. */
export const decodeDeleteOptions = ({ body, query }: Pick<ApiRequest, 'body' | 'query'>): DeletionRequest => {
  const given = decodeBody(body)
  const options: DeleteOptions = {
    ...given,
    gracePeriodSeconds: given.gracePeriodSeconds ?? integerParameter(query, 'gracePeriodSeconds'),
    propagationPolicy: given.propagationPolicy ?? (query['propagationPolicy'] || undefined),
    orphanDependents:
      given.orphanDependents ??
      (query['orphanDependents'] === undefined ? undefined : booleanParameter(query, 'orphanDependents')),
  }
  const problems: Problem[] = []
  const dryRun = dryRunOf([...(given.dryRun ?? []), ...(query['dryRun'] ? [query['dryRun']] : [])], problems)
  if (problems.length > 0) throw invalidOptions('DeleteOptions', problems)
  return { options, dryRun }
}

const decodeBody = (body: unknown): DeleteOptions => {
  if (body === undefined) return {}
  if (!isRecord(body)) throw badRequest('the request body must be DeleteOptions')
  const { kind } = body
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions') {
    throw badRequest(`decoded object cannot be converted to DeleteOptions: it is a ${String(kind)}`)
  }
  const { errors, pruned } = checkStructure(deleteOptionsSchema, body, { unknownFields: 'ignore' })
  if (errors.length > 0) throw badRequest(errors.map((error) => error.message).join(', '))
  return pruned
}
