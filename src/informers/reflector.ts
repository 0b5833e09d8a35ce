import { ApiError, isExpired, type Kind, type KubeObject } from '../api/index.ts'
import { type Backoff, type Clock, createBackoff, errorMessage, type Logger, sleep } from '../base/index.ts'
import { type Client, ConnectionError, type Selection, type WatchEvent } from '../client/index.ts'

/** Where the reflector puts what it learns. */
interface ReflectorTarget<T extends KubeObject> {
  /** The complete state of the server at one revision. */
  replace(objects: readonly T[]): void
  /** One change after that state. */
  apply(event: Extract<WatchEvent<T>, { object: T }>): void
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client
  readonly kind: Kind<T>
  readonly selection: Selection
  readonly target: ReflectorTarget<T>
  /** What of an object is handed on; all but `managedFields` when left out. */
  readonly keep?: (object: T) => T
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  readonly random?: () => number
  /** Told of each refusal of the server; it is tried again all the same. */
  readonly onRefusal?: (error: ApiError) => void
}

const PAGE_SIZE = 500
/** A stream that lived so long was healthy: the next failure starts the back-off anew. */
const STABLE_MS = 10_000
/** Servers send a bookmark about every minute; a stream that is silent for longer may be half open. */
const IDLE_MS = 150_000
const MAX_RETRY_AFTER_MS = 300_000

/**
 * Keeps `target` equal to the server by list and watch until `signal` aborts: resumes a broken watch from its last
 * revision, lists again when that is compacted, and never gives up.
 */
export const runReflector = async <T extends KubeObject>(options: ReflectorOptions<T>): Promise<void> => {
  const { clock, log, signal } = options
  const session: Session = { resourceVersion: undefined, watchList: true, expiredInARow: 0 }
  const backoff = createBackoff({ initialMs: 800, maxMs: 30_000, jitter: 0.2 }, options.random)
  while (!signal.aborted) {
    const startedAt = clock.monotonic()
    const ended = await attempt(options, session)
    if (signal.aborted) return
    const stable = clock.monotonic() - startedAt >= STABLE_MS
    if (stable) {
      backoff.reset()
      session.expiredInARow = 0
    }
    const delayMs = delayAfter(ended, { stable, backoff, session })
    log.debug('watch ended', { kind: options.kind.kind, how: ended.kind, error: ended.error, retryInMs: delayMs })
    await sleep(clock, delayMs, signal)
  }
}

interface Session {
  /** The last revision seen; undefined when the state must be read from scratch. */
  resourceVersion: string | undefined
  /** False once the server refused to stream the initial state. */
  watchList: boolean
  expiredInARow: number
}

interface Ended {
  readonly kind: 'closed' | 'expired' | 'unsupported' | 'failed'
  readonly error?: string
  readonly retryAfterMs?: number
}

const attempt = async <T extends KubeObject>(options: ReflectorOptions<T>, session: Session): Promise<Ended> => {
  const streamingInitialState = session.resourceVersion === undefined && session.watchList
  try {
    if (session.resourceVersion === undefined && !session.watchList) await listAll(options, session)
    await follow(options, session)
    if (!streamingInitialState || session.resourceVersion !== undefined) return { kind: 'closed' }
    session.watchList = false
    return { kind: 'unsupported', error: 'the server ended the stream before the initial state was complete' }
  } catch (error) {
    if (error instanceof ApiError && (error.code === 401 || error.code === 403)) options.onRefusal?.(error)
    return classify({ error, session, streamingInitialState, kind: options.kind.kind, log: options.log })
  }
}

interface Failure {
  readonly error: unknown
  readonly session: Session
  readonly streamingInitialState: boolean
  readonly kind: string
  readonly log: Logger
}

const classify = ({ error, session, streamingInitialState, kind, log }: Failure): Ended => {
  if (isExpired(error)) {
    session.resourceVersion = undefined
    session.expiredInARow++
    return { kind: 'expired', error: errorMessage(error) }
  }
  if (streamingInitialState && error instanceof ApiError && (error.code === 400 || error.code === 422)) {
    session.watchList = false
    return { kind: 'unsupported', error: error.message }
  }
  const retryAfterSeconds = error instanceof ApiError ? error.details?.retryAfterSeconds : undefined
  if (!(error instanceof ConnectionError)) log.warn('list or watch failed', { kind, error: errorMessage(error) })
  return {
    kind: 'failed',
    error: errorMessage(error),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterMs: Math.min(retryAfterSeconds * 1000, MAX_RETRY_AFTER_MS) }),
  }
}

interface Delay {
  readonly stable: boolean
  readonly backoff: Backoff
  readonly session: Session
}

const delayAfter = (ended: Ended, { stable, backoff, session }: Delay): number => {
  switch (ended.kind) {
    case 'unsupported':
      return 0
    case 'expired':
      return session.expiredInARow <= 1 ? 0 : backoff.next()
    case 'closed':
      return stable ? 0 : backoff.next()
    case 'failed':
      return Math.max(backoff.next(), ended.retryAfterMs ?? 0)
    default:
      return ended.kind satisfies never
  }
}

const listAll = async <T extends KubeObject>(options: ReflectorOptions<T>, session: Session): Promise<void> => {
  const pages = await readPages(options, PAGE_SIZE).catch((error: unknown) => {
    // The continue token outlived its revision: read everything in one answer instead.
    if (isExpired(error)) return readPages(options, undefined)
    throw error
  })
  options.target.replace(pages.items)
  session.resourceVersion = pages.resourceVersion
}

const readPages = async <T extends KubeObject>(
  { client, kind, selection, signal, keep = withoutManagedFields }: ReflectorOptions<T>,
  limit: number | undefined,
): Promise<{ readonly items: readonly T[]; readonly resourceVersion: string }> => {
  const first = await client.list(kind, { ...selection, signal, ...(limit === undefined ? {} : { limit }) })
  const items = first.items.map(keep)
  for (let token = first.continue; token; ) {
    const page = await client.list(kind, { ...selection, signal, continue: token, ...(limit === undefined ? {} : { limit }) })
    for (const item of page.items) items.push(keep(item))
    token = page.continue
  }
  return { items, resourceVersion: first.resourceVersion }
}

/** Follows one watch to its end; without a revision it asks for the state itself first. */
const follow = async <T extends KubeObject>(options: ReflectorOptions<T>, session: Session): Promise<void> => {
  const { client, kind, selection, target, keep = withoutManagedFields, random = Math.random } = options
  const stream = guardedStream(options)
  let initial: T[] | undefined = session.resourceVersion === undefined ? [] : undefined
  try {
    const events = client.watch(kind, {
      ...selection,
      ...(session.resourceVersion === undefined ? { sendInitialEvents: true } : { resourceVersion: session.resourceVersion }),
      timeoutSeconds: Math.round(300 * (1 + random())),
      signal: stream.signal,
    })
    for await (const event of events) {
      if (stream.signal.aborted) return
      stream.touch()
      if (event.type === 'BOOKMARK') {
        if (initial && !event.initialEventsEnd) continue
        if (initial) target.replace(initial)
        initial = undefined
        session.resourceVersion = event.resourceVersion
      } else if (initial) {
        initial = collect(initial, { ...event, object: keep(event.object) })
      } else {
        target.apply({ ...event, object: keep(event.object) })
        session.resourceVersion = event.object.metadata.resourceVersion ?? session.resourceVersion
      }
    }
  } finally {
    stream.release()
  }
}

/** An object may change or go before the initial state is complete. */
const collect = <T extends KubeObject>(initial: T[], event: Extract<WatchEvent<T>, { object: T }>): T[] => {
  if (event.type === 'ADDED') {
    initial.push(event.object)
    return initial
  }
  const { namespace, name } = event.object.metadata
  const rest = initial.filter((object) => object.metadata.name !== name || object.metadata.namespace !== namespace)
  return event.type === 'DELETED' ? rest : [...rest, event.object]
}

interface GuardedStream {
  /** Aborts with the reflector's signal, or when the stream was silent for too long. */
  readonly signal: AbortSignal
  touch(): void
  release(): void
}

const guardedStream = ({
  clock,
  signal,
  log,
  kind,
}: Pick<ReflectorOptions<KubeObject>, 'clock' | 'signal' | 'log'> & { kind: { kind: string } }): GuardedStream => {
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  let activeAt = clock.monotonic()
  const check = (): void => {
    const leftMs = IDLE_MS - (clock.monotonic() - activeAt)
    if (leftMs > 0) {
      timer = clock.setTimer(check, leftMs)
      return
    }
    log.info('the watch was silent for too long, connecting anew', { kind: kind.kind, idleMs: IDLE_MS })
    abort()
  }
  let timer = clock.setTimer(check, IDLE_MS)
  return {
    signal: controller.signal,
    touch() {
      activeAt = clock.monotonic()
    },
    release() {
      timer.cancel()
      signal.removeEventListener('abort', abort)
      abort()
    },
  }
}

/** Nobody who reads a cache needs them, and they are half of an object's memory. The argument is shared: it is copied. */
const withoutManagedFields = <T extends KubeObject>(object: T): T => {
  if (object.metadata.managedFields === undefined) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
