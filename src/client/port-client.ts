import { ApiError, apiVersionOf, type Kind, type KubeObject } from '../api/index.ts'
import type { ApiAnswer, ApiPort, ApiRequest, UserInfo } from './api-port.ts'
import type { Client, ObjectRef, ReadOptions, Selection, SubresourceWriteOptions } from './client.ts'
import { deleteRequest, listQuery, patchBody, watchQuery, writeQuery } from './request.ts'
import { isStatus, parseList, parseObject, parseWatchEvent, unexpected } from './response.ts'

export interface PortClientOptions {
  readonly port: ApiPort
  readonly user: UserInfo
  /** Its part before the first slash is the default field manager. */
  readonly userAgent: string
}

/** The one implementation of `Client`; what differs between in process and HTTP is the port. */
export const createPortClient = (options: PortClientOptions): Client => {
  const execute = (request: KindRequest): Promise<ApiAnswer> => options.port.execute(apiRequest(options, request))
  const object = async (request: KindRequest): Promise<unknown> => {
    const answer = await execute(request)
    if (answer.kind !== 'object') throw unexpected(request.kind, `a ${answer.kind}`)
    return answer.object
  }
  return {
    async get<T extends KubeObject>(kind: Kind<T>, ref: ObjectRef, read: ReadOptions = {}) {
      return parseObject(kind, await object({ verb: 'get', kind, ...target(ref), ...withSignal(read) }))
    },
    async list(kind, list = {}) {
      return parseList(kind, await object({ verb: 'list', kind, ...scope(list), query: listQuery(list), ...withSignal(list) }))
    },
    async *watch(kind, watch) {
      const { signal } = watch
      if (signal.aborted) return
      try {
        const answer = await execute({ verb: 'watch', kind, ...scope(watch), query: watchQuery(watch), signal })
        if (answer.kind !== 'watch') throw unexpected(kind, `a ${answer.kind}`)
        for await (const event of answer.events) {
          if (signal.aborted) return
          yield parseWatchEvent(kind, event)
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
    async create(kind, body, write = {}) {
      const { name, ...unnamed } = body.metadata
      const full = {
        ...body,
        apiVersion: body.apiVersion ?? apiVersionOf(kind),
        kind: body.kind ?? kind.kind,
        metadata: name === '' ? unnamed : body.metadata,
      }
      return parseObject(
        kind,
        await object({
          verb: 'create',
          kind,
          ...scope(body.metadata),
          query: writeQuery(write),
          body: full,
          ...withSignal(write),
        }),
      )
    },
    async update(kind, body, write = {}) {
      return parseObject(kind, await object({ verb: 'update', kind, ...target(body.metadata), ...writing(write), body }))
    },
    async patch(kind, ref, patch, write = {}) {
      const request = { verb: 'patch', kind, ...target(ref), ...writing(write) } as const
      return parseObject(kind, await object({ ...request, patchType: patch.type, body: patchBody(patch) }))
    },
    async delete(kind, ref, remove = {}) {
      const answer = await object({ verb: 'delete', kind, ...target(ref), ...deleteRequest(remove), ...withSignal(remove) })
      return isStatus(answer) ? undefined : parseObject(kind, answer)
    },
    async createSubresource(kind, ref, { subresource, body, ...write }) {
      const query = writeQuery(write)
      return object({ verb: 'create', kind, ...target(ref), subresource, query, body, ...withSignal(write) })
    },
  }
}

type KindRequest = Pick<ApiRequest, 'verb'> & { readonly kind: Kind } & Partial<ApiRequest>

const apiRequest = ({ user, userAgent }: PortClientOptions, { kind, namespace, ...rest }: KindRequest): ApiRequest => ({
  query: {},
  ...rest,
  group: kind.group,
  version: kind.version,
  resource: kind.plural,
  ...(kind.namespaced && namespace !== undefined ? { namespace } : {}),
  user,
  userAgent,
})

const target = (ref: ObjectRef): Pick<ApiRequest, 'namespace' | 'name'> => {
  // An empty name would turn a request for one object into one for all of them.
  if (ref.name === '') throw new ApiError({ code: 400, reason: 'BadRequest', message: 'resource name may not be empty' })
  return { ...scope(ref), name: ref.name }
}

const scope = ({ namespace }: Pick<Selection, 'namespace'>): Pick<ApiRequest, 'namespace'> =>
  namespace === undefined ? {} : { namespace }

const withSignal = ({ signal }: ReadOptions): Pick<ApiRequest, 'signal'> => (signal === undefined ? {} : { signal })

const writing = (options: SubresourceWriteOptions): Pick<ApiRequest, 'query' | 'subresource' | 'signal'> => ({
  query: writeQuery(options),
  ...(options.subresource === undefined ? {} : { subresource: options.subresource }),
  ...withSignal(options),
})
