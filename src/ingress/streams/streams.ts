import type { ConfigMap } from '../../api/index.ts'
import type { Clock, Component, Logger, Running, Timer } from '../../base/index.ts'
import type { EventRecorder } from '../../client/index.ts'
import {
  createWorkQueue,
  DONE,
  type Outcome,
  type ReferencedInformer,
  runController,
  waitForSync,
} from '../../informers/index.ts'
import { serviceOfSlice } from '../../model/index.ts'
import { keyOf } from '../routes/index.ts'
import { type IngressInformers, split } from '../snapshot.ts'
import { desiredStream, type StreamSources } from './desired.ts'
import { parseStreams, type ReservedPorts, type StreamProblem, type StreamService } from './parse.ts'
import type { StreamEngine } from './stream-engine.ts'
import type { StreamFailure, StreamPort } from './stream-table.ts'

export interface StreamsOptions extends Pick<IngressInformers, 'services' | 'slices'> {
  /** Started by whoever made it; what it follows is told here. */
  readonly configMaps: ReferencedInformer<ConfigMap>
  /** ConfigMaps (`namespace/name`) of ports. */
  readonly tcp?: string
  readonly udp?: string
  readonly reserved: ReservedPorts
  /** Without any, ports that take PROXY headers believe nobody. */
  readonly trustedProxies: readonly string[]
  readonly engine: Pick<StreamEngine, 'update'>
  readonly recorder?: Pick<EventRecorder, 'event'>
  readonly clock: Clock
  readonly log: Logger
}

/** TCP and UDP services by ConfigMap: keeps the ports of the engine up to date. `start` resolves when the first ones are served. */
export const createStreams = (options: StreamsOptions): Component => ({
  name: 'streams',
  start: (signal) => new Streams(options).start(signal),
})

/** The one key of the queue: ports are few, and told whole. */
const ALL = 'all'
const RETRY_MS = 5_000

class Streams {
  readonly #options: StreamsOptions
  readonly #told = new Map<string, ReadonlySet<string>>()
  #services: ReadonlySet<string> = new Set()
  #sent: string | undefined
  #failures: readonly StreamFailure[] = []

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  async start(signal: AbortSignal): Promise<Running> {
    const { configMaps, services, slices, clock, log } = this.#options
    const queue = createWorkQueue({ clock })
    const ofOurs = new Set(this.#sources().map(({ key }) => key))
    configMaps.follow(ofOurs)
    await Promise.all([waitForSync([services, slices], signal), configMaps.ready(signal)])
    await this.#reconcile()
    let retry: Timer | undefined
    const onService = (key: string | undefined): void => {
      if (key !== undefined && this.#services.has(key)) queue.add(ALL)
    }
    const stops = [
      configMaps.onChange(({ object }) => ofOurs.has(keyOf(object)) && queue.add(ALL)),
      services.onChange(({ object }) => onService(keyOf(object))),
      slices.onChange((change) => {
        onService(serviceOfSlice(change.object))
        if (change.type === 'updated') onService(serviceOfSlice(change.previous))
      }),
    ]
    const reconcile = async (): Promise<Outcome> => {
      await this.#reconcile()
      // Who holds a port may let it go.
      retry?.cancel()
      if (this.#failures.length > 0) retry = clock.setTimer(() => queue.add(ALL), RETRY_MS)
      return DONE
    }
    queue.add(ALL)
    const stopped = runController({ name: 'streams', queue, reconcile, clock, log, signal }).then(() => {
      retry?.cancel()
      for (const stop of stops) stop()
    })
    return { stopped }
  }

  #sources(): readonly { readonly protocol: 'TCP' | 'UDP'; readonly key: string }[] {
    const { tcp, udp } = this.#options
    return [
      ...(tcp === undefined ? [] : [{ protocol: 'TCP' as const, key: tcp }]),
      ...(udp === undefined ? [] : [{ protocol: 'UDP' as const, key: udp }]),
    ]
  }

  async #reconcile(): Promise<void> {
    const found = this.#sources().map(({ protocol, key }) => ({ protocol, key, ...this.#read(protocol, key) }))
    this.#services = new Set(found.flatMap(({ services }) => services.map(({ service }) => service)))
    await this.#send(found.flatMap(({ ports }) => ports))
    for (const { protocol, key, problems } of found) this.#tell(key, [...problems, ...this.#unavailable(protocol)])
  }

  #read(protocol: 'TCP' | 'UDP', key: string) {
    const { configMaps, services, slices, reserved, trustedProxies } = this.#options
    const parsed = parseStreams(protocol, configMaps.get(...split(key))?.data ?? {}, reserved)
    const sources: StreamSources = {
      service: (name) => services.get(...split(name)),
      slices: (name) => slices.byIndex('service', name),
    }
    const streams = parsed.services.map((stream) => desiredStream(stream, sources))
    return {
      services: parsed.services,
      ports: streams.map(({ port }) => port),
      problems: [
        ...parsed.problems,
        ...streams.flatMap(({ problem }) => problem ?? []),
        ...(trustedProxies.length > 0 ? [] : parsed.services.flatMap(untrusted)),
      ],
    }
  }

  /** What was sent already is sent again only to try what failed. */
  async #send(ports: readonly StreamPort[]): Promise<void> {
    const text = JSON.stringify(ports)
    if (text === this.#sent && this.#failures.length === 0) return
    this.#failures = await this.#options.engine.update(ports)
    this.#sent = text
  }

  #unavailable(protocol: 'TCP' | 'UDP'): readonly StreamProblem[] {
    return this.#failures
      .filter((failure) => failure.protocol === protocol)
      .map(({ port, code }) => ({
        reason: 'StreamPortUnavailable',
        message: `"${port}": the ${protocol} port cannot be had (${FAILURES[code] ?? code}); it is tried again`,
      }))
  }

  /** Each problem once, until it is gone. */
  #tell(key: string, problems: readonly StreamProblem[]): void {
    const { configMaps, recorder, log } = this.#options
    const before = this.#told.get(key) ?? new Set()
    const object = configMaps.get(...split(key))
    for (const { reason, message } of problems) {
      if (before.has(message)) continue
      log.warn('a stream is not as asked for', { configMap: key, reason, message })
      if (object !== undefined) recorder?.event(object, { type: 'Warning', reason, message })
    }
    this.#told.set(key, new Set(problems.map(({ message }) => message)))
  }
}

const FAILURES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'this user may not bind it',
}

const untrusted = ({ port, takesProxyHeader }: StreamService): readonly StreamProblem[] =>
  takesProxyHeader
    ? [
        {
          reason: 'StreamProxyUntrusted',
          message: `"${port}": PROXY headers are believed only from --trusted-proxies, which is empty: every connection is refused`,
        },
      ]
    : []
