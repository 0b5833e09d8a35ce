import type { ApiRequest } from './api-port.ts'
import type { DeleteOptions, ListOptions, Patch, Selection, WatchOptions, WriteOptions } from './client.ts'

type Query = Readonly<Record<string, string>>

/** The query parameters of a list. */
export const listQuery = (options: ListOptions): Query => ({
  ...selectionQuery(options),
  ...(options.limit === undefined ? {} : { limit: String(options.limit) }),
  ...(options.continue === undefined ? {} : { continue: options.continue }),
  ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
})

/** The query parameters of a watch; always with bookmarks. */
export const watchQuery = (options: WatchOptions): Query => ({
  ...selectionQuery(options),
  watch: 'true',
  allowWatchBookmarks: 'true',
  ...(options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion }),
  // A server that does not know sendInitialEvents refuses resourceVersionMatch on a watch, so that we learn of it (KEP-3157).
  ...(options.sendInitialEvents ? { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' } : {}),
  ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: String(options.timeoutSeconds) }),
})

/** The query parameters of a create, update or patch. */
export const writeQuery = (options: WriteOptions): Query => ({
  ...(options.dryRun ? { dryRun: 'All' } : {}),
  ...(options.fieldManager === undefined ? {} : { fieldManager: options.fieldManager }),
  ...(options.fieldValidation === undefined ? {} : { fieldValidation: options.fieldValidation }),
})

/** A delete carries its options in the body. */
export const deleteRequest = (options: DeleteOptions): Pick<ApiRequest, 'query' | 'body'> => {
  const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun } = options
  return {
    query: dryRun ? { dryRun: 'All' } : {},
    body: {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
      ...(preconditions === undefined ? {} : { preconditions }),
      ...(dryRun ? { dryRun: ['All'] } : {}),
    },
  }
}

export const patchBody = (patch: Patch): unknown => (patch.type === 'json' ? patch.operations : patch.value)

const selectionQuery = ({ labelSelector, fieldSelector }: Selection): Query => ({
  ...(labelSelector === undefined ? {} : { labelSelector }),
  ...(fieldSelector === undefined ? {} : { fieldSelector }),
})
