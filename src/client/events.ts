import { type Event, eventKind, isNotFound, type KubeObject, type ObjectReference } from '../api/index.ts'
import { type Clock, errorMessage, type Logger, sleep } from '../base/index.ts'
import { type Client, ConnectionError } from './client.ts'
import { createEventThrottle } from './event-throttle.ts'

/** Tells people what happens to an object, as `kubectl describe` and `kubectl get events` show it. */
export interface EventRecorder {
  /** Returns at once and never throws; a repeat raises the count of the Event that is there. */
  event(object: KubeObject, what: EventText): void
  /** Resolves when everything recorded so far was sent or given up. */
  flush(): Promise<void>
}

export interface EventText {
  readonly type: 'Normal' | 'Warning'
  /** One word, such as `FailedScheduling`. */
  readonly reason: string
  readonly message: string
}

export interface EventRecorderOptions {
  readonly client: Client
  /** Who tells, such as `replicaset-controller`. */
  readonly component: string
  readonly host?: string
  readonly clock: Clock
  readonly log: Logger
  /** Ends the retries. */
  readonly signal?: AbortSignal
}

const REMEMBERED = 4096
const PENDING_LIMIT = 1000
const MESSAGE_LIMIT = 1024
/** Leaves room for the suffix in a name of 253 characters. */
const NAME_LIMIT = 230
const ATTEMPTS = 4

/** A recorder that sends one Event after the other, in order. */
export const createEventRecorder = (options: EventRecorderOptions): EventRecorder => {
  const { clock, log } = options
  const remembered = new Map<string, Event>()
  const pending = new Map<string, Pending>()
  const throttle = createEventThrottle(clock)
  const name = eventNamer(clock)
  let sending: Promise<void> | undefined

  const drain = async (): Promise<void> => {
    for (let next = first(pending); next; next = first(pending)) {
      const [key, entry] = next
      pending.delete(key)
      const sent = await send(options, entry, remembered.get(key)).catch((error: unknown) => {
        log.debug('an event was lost', { reason: entry.what.reason, object: entry.about.name, error: errorMessage(error) })
        return undefined
      })
      if (sent) remember(remembered, key, sent)
    }
    sending = undefined
  }
  return {
    event(object, what) {
      const about = referenceTo(object)
      const text = { ...what, message: what.message.slice(0, MESSAGE_LIMIT) }
      const admitted = throttle.admit(about, text)
      if (!admitted) return
      const key = JSON.stringify([about.kind, about.namespace, about.name, about.uid, text.type, text.reason, admitted.identity])
      const at = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
      const waiting = pending.get(key)
      if (!waiting && pending.size >= PENDING_LIMIT) return
      const base = waiting ?? { name: name(object.metadata.name), about, firstAt: at, count: 0 }
      pending.set(key, { ...base, what: { ...text, message: admitted.message }, lastAt: at, count: base.count + 1 })
      sending ??= drain()
    },
    flush: async () => {
      while (sending) await sending
    },
  }
}

interface Pending {
  readonly name: string
  readonly about: ObjectReference
  readonly what: EventText
  readonly firstAt: string
  readonly lastAt: string
  readonly count: number
}

const send = async (options: EventRecorderOptions, entry: Pending, known: Event | undefined): Promise<Event> => {
  const { clock, signal } = options
  for (let attempt = 1; ; attempt++) {
    try {
      return await write(options, entry, known)
    } catch (error) {
      if (!(error instanceof ConnectionError) || attempt === ATTEMPTS || signal?.aborted) throw error
      await sleep(clock, 500 * 2 ** attempt, signal)
    }
  }
}

const write = async (options: EventRecorderOptions, entry: Pending, known: Event | undefined): Promise<Event> => {
  const { client } = options
  if (known) {
    const ref = { ...namespaceOf(known), name: known.metadata.name }
    const value = { count: (known.count ?? 1) + entry.count, lastTimestamp: entry.lastAt, message: entry.what.message }
    try {
      return await client.patch(eventKind, ref, { type: 'merge', value })
    } catch (error) {
      // Events live for an hour; the next one starts anew.
      if (!isNotFound(error)) throw error
    }
  }
  return client.create(eventKind, newEvent(options, entry))
}

const newEvent = ({ component, host }: EventRecorderOptions, { name, about, what, firstAt, lastAt, count }: Pending): Event => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name, namespace: about.namespace ?? 'default' },
  involvedObject: about,
  type: what.type,
  reason: what.reason,
  message: what.message,
  source: { component, ...(host === undefined ? {} : { host }) },
  firstTimestamp: firstAt,
  lastTimestamp: lastAt,
  count,
  reportingComponent: component,
  reportingInstance: host ?? '',
})

const referenceTo = ({ apiVersion, kind, metadata }: KubeObject): ObjectReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  ...namespaceOf({ metadata }),
  ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
  ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
})

const namespaceOf = ({ metadata }: Pick<KubeObject, 'metadata'>): { readonly namespace?: string } =>
  metadata.namespace === undefined ? {} : { namespace: metadata.namespace }

const eventNamer = (clock: Clock): ((object: string) => string) => {
  let last = 0n
  return (object) => {
    const now = BigInt(Math.round(clock.now())) * 1_000_000n
    last = now > last ? now : last + 1n
    return `${object.slice(0, NAME_LIMIT)}.${last.toString(16)}`
  }
}

const remember = (remembered: Map<string, Event>, key: string, event: Event): void => {
  remembered.delete(key)
  remembered.set(key, event)
  const oldest = remembered.keys().next()
  if (remembered.size > REMEMBERED && !oldest.done) remembered.delete(oldest.value)
}

const first = <K, V>(map: ReadonlyMap<K, V>): [K, V] | undefined => {
  for (const entry of map) return entry
  return undefined
}
