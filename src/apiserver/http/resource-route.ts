import type { ApiAnswer, ApiRequest, RawWatchEvent } from '../../client/index.ts'
import type { ResourceInfo } from '../request-info.ts'
import {
  type BodyNotes,
  executeRequest,
  openWatch,
  type Resource,
  type RestContext,
  resolve,
  type WatchBatches,
} from '../rest/index.ts'
import { negotiate, parseIncludeObject } from '../table/index.ts'
import { readBody } from './body.ts'
import { decodeRequestBody } from './decode-body.ts'
import { type Exchange, userOf } from './exchange.ts'
import { createProtobufReader, type ProtobufReader } from './protobuf.ts'
import { createEventEncoder, renderAnswer, type View } from './render.ts'
import { sendJson, warningHeaders } from './respond.ts'
import { writeStream } from './stream.ts'

/** How requests for resources are answered; rejects with `ApiError`. */
export const createResourceRoute = (context: RestContext) => {
  const readProtobuf = createProtobufReader(context.resources)
  return (exchange: Exchange, info: ResourceInfo): Promise<void> => answer({ ...context, readProtobuf }, exchange, info)
}

interface RouteContext extends RestContext {
  readonly readProtobuf: ProtobufReader
}

const answer = async (context: RouteContext, exchange: Exchange, info: ResourceInfo): Promise<void> => {
  const isStream = info.subresource === 'log'
  const view: View = {
    representation: isStream ? { kind: 'object' } : negotiate(exchange.request.headers.accept),
    includeObject: parseIncludeObject(info.query['includeObject']),
  }
  const request = await apiRequest(context, exchange, info)
  const target = resolve(context, request)
  if (target.kind === 'resource' && request.verb === 'watch') {
    const batches = await openWatch(context, target.request)
    return sendWatch(context, exchange, { view, resource: target.request.target, batches })
  }
  const resource = target.kind === 'resource' ? target.request.target : undefined
  return sendAnswer(context, exchange, { view, resource, answer: await executeRequest(context, request) })
}

const apiRequest = async (context: RouteContext, exchange: Exchange, info: ResourceInfo): Promise<ApiRequest & BodyNotes> => {
  const { request, signal } = exchange
  const { kind: _, path: __, ...target } = info
  const base: ApiRequest = { ...target, user: userOf(exchange), userAgent: agentOf(request.headers['user-agent']), signal }
  if (info.verb === 'get' || info.verb === 'list' || info.verb === 'watch') return base
  const { value, duplicates, patchType } = decodeRequestBody({
    contentType: request.headers['content-type'],
    body: await readBody(request, context.clock),
    isPatch: info.verb === 'patch',
    readProtobuf: context.readProtobuf,
  })
  return {
    ...base,
    ...(value === undefined ? {} : { body: value }),
    ...(duplicates.length === 0 ? {} : { duplicateFields: duplicates }),
    ...(patchType === undefined ? {} : { patchType }),
  }
}

const agentOf = (userAgent: string | undefined): string => (userAgent ?? '').split('/', 1)[0]?.slice(0, 128) ?? ''

interface Sending {
  readonly view: View
  readonly resource: Resource | undefined
  readonly answer: ApiAnswer
}

const sendAnswer = async (context: RestContext, exchange: Exchange, { view, resource, answer }: Sending): Promise<void> => {
  const { response } = exchange
  switch (answer.kind) {
    case 'object': {
      const value = renderAnswer(view, resource, answer.object, context.clock.now())
      return sendJson(response, answer.code, value, warningHeaders(answer.warnings))
    }
    case 'stream':
      response.writeHead(200, { 'content-type': answer.contentType, 'cache-control': 'no-cache, private' })
      return writeStream(response, answer.chunks, context.clock)
    case 'watch':
      throw new Error('watches are opened in batches')
    default:
      return answer satisfies never
  }
}

interface WatchSending {
  readonly view: View
  readonly resource: Resource
  readonly batches: WatchBatches
}

const sendWatch = async (context: RestContext, { response }: Exchange, sending: WatchSending): Promise<void> => {
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' })
  flush(response)
  await writeStream(response, encodedBatches(context, sending), context.clock)
}

/** Headers go out before the first event, so that the client knows that the watch has begun. */
const flush = (response: Exchange['response']): void => {
  if ('flushHeaders' in response && typeof response.flushHeaders === 'function') response.flushHeaders()
}

async function* encodedBatches({ clock }: RestContext, { view, resource, batches }: WatchSending): AsyncGenerator<Uint8Array> {
  const encode = createEventEncoder(view, resource, clock.now)
  for await (const batch of batches) {
    const [only] = batch
    yield only !== undefined && batch.length === 1
      ? encode(only)
      : Buffer.concat(batch.map((event: RawWatchEvent) => encode(event)))
  }
}
