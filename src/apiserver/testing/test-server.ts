import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kind, type KubeObject, scheme } from '../../api/index.ts'
import { type Clock, realClock, silentLogger } from '../../base/index.ts'
import type { ApiAnswer, ApiRequest, PodLogs, RawWatchEvent, Verb } from '../../client/index.ts'
import { openLmdbStore, type Store } from '../../store/index.ts'
import type { Strategy } from '../registry/strategy.ts'
import { type ApiServer, createApiServer } from '../server.ts'

export interface TestServerOptions {
  readonly clock?: Clock
  readonly kinds?: readonly Kind[]
  readonly strategies?: readonly Strategy<KubeObject>[]
  readonly podLogs?: PodLogs
  /** A folder that outlives the server; one that goes with it when left out. */
  readonly path?: string
  /** Disk space that the store leaves free; more than there is makes a full disk of it. */
  readonly reserveBytes?: number
}

/** An API server over a real store in a folder of its own. */
export interface TestServer {
  readonly server: ApiServer
  readonly store: Store
  readonly folder: string
  readonly signal: AbortSignal
  /** The object of the answer. */
  ask(request: TestRequest): Promise<TestObject>
  answer(request: TestRequest): Promise<ApiAnswer>
  /** The events of a watch, one after the other. */
  watch(request: Omit<TestRequest, 'verb'>): Promise<AsyncIterator<TestEvent>>
  stop(): Promise<void>
}

type TestRequest = { readonly verb: Verb; readonly resource: string } & Partial<ApiRequest>

// biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every kind
export type TestObject = any

export interface TestEvent extends RawWatchEvent {
  readonly object: TestObject
}

const ADMIN = { name: 'admin', groups: ['system:masters'] }

export const startTestServer = async (options: TestServerOptions = {}): Promise<TestServer> => {
  const folder = options.path ?? (await mkdtemp(join(tmpdir(), 'fairway-apiserver-')))
  const clock = options.clock ?? realClock
  const { reserveBytes } = options
  const path = join(folder, 'store')
  const store = await openLmdbStore({ path, clock: realClock, log: silentLogger, ...(reserveBytes && { reserveBytes }) })
  const server = createApiServer({ store, kinds: scheme, version: '0.0.0', log: silentLogger, ...options, clock })
  const stopping = new AbortController()
  const running = await server.start(stopping.signal)
  const answer = (request: TestRequest): Promise<ApiAnswer> =>
    server.execute({ group: '', version: 'v1', query: {}, user: ADMIN, userAgent: 'test', ...request })
  return {
    server,
    store,
    folder,
    signal: stopping.signal,
    answer,
    async ask(request) {
      const result = await answer(request)
      if (result.kind !== 'object') throw new Error(`expected an object, got a ${result.kind}`)
      return result.object
    },
    async watch(request) {
      const result = await answer({ ...request, verb: 'watch', resource: request.resource })
      if (result.kind !== 'watch') throw new Error(`expected a watch, got a ${result.kind}`)
      return result.events[Symbol.asyncIterator]()
    },
    async stop() {
      stopping.abort()
      await running.stopped
      await store.close()
      if (options.path === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A ConfigMap, the kind with the fewest rules. */
export const configMap = (name: string, data: Readonly<Record<string, string>> = {}, metadata: object = {}): TestObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
})

/** The next event, or an error when the watch has ended. */
export const next = async (events: AsyncIterator<TestEvent>): Promise<TestEvent> => {
  const result = await events.next()
  if (result.done === true) throw new Error('the watch has ended')
  return result.value
}

/** `TYPE name` of the next events. */
export const nextNames = async (events: AsyncIterator<TestEvent>, count: number): Promise<readonly string[]> => {
  const names: string[] = []
  while (names.length < count) {
    const event = await next(events)
    names.push(`${event.type} ${event.object.metadata.name ?? ''}`.trim())
  }
  return names
}
