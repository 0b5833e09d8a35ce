import type { Target } from '../table/index.ts'
import type { RequestRecord } from './record.ts'

/** Upper bounds in seconds, as Prometheus' client libraries have them; the last is infinite. */
export const DURATION_BOUNDS: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Series beyond these are counted together: users choose names, and nothing that they choose may grow without bound. */
const MOST_SERIES = 10_000
/** A series without a request for this long is forgotten. */
const FORGET_AFTER_MS = 3_600_000

/** What the requests of one Ingress and Service came to. */
export interface RouteStats {
  readonly ingress: string
  readonly service: string
  /** Answers by the first digit of their status; the first is for clients that went away. */
  readonly responses: readonly number[]
  /** Requests by duration, each up to the bound of the same place; the last has no bound. */
  readonly durations: readonly number[]
  readonly durationSeconds: number
  readonly upstreamDurations: readonly number[]
  readonly upstreamSeconds: number
  readonly requestBytes: number
  readonly responseBytes: number
}

class Series {
  readonly responses = new Float64Array(6)
  readonly durations = new Float64Array(DURATION_BOUNDS.length + 1)
  readonly upstreamDurations = new Float64Array(DURATION_BOUNDS.length + 1)
  durationSeconds = 0
  upstreamSeconds = 0
  requestBytes = 0
  responseBytes = 0
  usedMs = 0
  readonly ingress: string
  readonly service: string

  constructor(ingress: string, service: string) {
    this.ingress = ingress
    this.service = service
  }
}

/** Counts requests by the route's Ingress and Service, never by what a client chose. */
export class RouteMetrics {
  readonly #series = new Map<string, Series>()
  /** The series of a target, so that a request builds no key. */
  readonly #byTarget = new WeakMap<Target, Series>()
  readonly #none = new Series('', '')
  readonly #others = new Series('other', 'other')

  add(record: RequestRecord): void {
    const series = record.target === undefined ? this.#none : this.#of(record.target)
    const nowMs = performance.now()
    const seconds = (nowMs - record.startedMs) / 1_000
    const digit = record.status === CLIENT_GONE ? 0 : (record.status / 100) | 0
    series.usedMs = nowMs
    series.responses[digit] = (series.responses[digit] ?? 0) + 1
    count(series.durations, seconds)
    series.durationSeconds += seconds
    series.requestBytes += record.requestBytes
    series.responseBytes += record.responseBytes
    if (record.upstreamMs < 0) return
    count(series.upstreamDurations, record.upstreamMs / 1_000)
    series.upstreamSeconds += record.upstreamMs / 1_000
  }

  snapshot(): readonly RouteStats[] {
    this.#forget()
    return [this.#none, this.#others, ...this.#series.values()].filter((series) => series.usedMs > 0).map(toStats)
  }

  #of(target: Target): Series {
    const known = this.#byTarget.get(target)
    if (known !== undefined) return known
    const ingress = target.labels['ingress'] ?? ''
    const service = target.labels['service'] ?? ''
    const key = `${ingress} ${service}`
    let series = this.#series.get(key)
    if (series === undefined) {
      if (this.#series.size >= MOST_SERIES) return this.#others
      series = new Series(ingress, service)
      this.#series.set(key, series)
    }
    this.#byTarget.set(target, series)
    return series
  }

  /** A forgotten series that is used again goes on where it was: its target still holds it. */
  #forget(): void {
    const before = performance.now() - FORGET_AFTER_MS
    for (const [key, series] of this.#series) if (series.usedMs < before) this.#series.delete(key)
  }
}

/** As nginx logs a client that went away before it was answered. */
const CLIENT_GONE = 499

const count = (buckets: Float64Array, seconds: number): void => {
  let at = 0
  while (at < DURATION_BOUNDS.length && seconds > (DURATION_BOUNDS[at] as number)) at++
  buckets[at] = (buckets[at] as number) + 1
}

const toStats = (series: Series): RouteStats => ({
  ingress: series.ingress,
  service: series.service,
  responses: [...series.responses],
  durations: [...series.durations],
  durationSeconds: series.durationSeconds,
  upstreamDurations: [...series.upstreamDurations],
  upstreamSeconds: series.upstreamSeconds,
  requestBytes: series.requestBytes,
  responseBytes: series.responseBytes,
})

/** The sum over workers. */
export const sumRouteStats = (all: readonly (readonly RouteStats[])[]): readonly RouteStats[] => {
  const sums = new Map<string, RouteStats>()
  for (const stats of all.flat()) {
    const key = `${stats.ingress} ${stats.service}`
    const sum = sums.get(key)
    sums.set(key, sum === undefined ? stats : addStats(sum, stats))
  }
  return [...sums.values()]
}

const addStats = (a: RouteStats, b: RouteStats): RouteStats => ({
  ingress: a.ingress,
  service: a.service,
  responses: addAll(a.responses, b.responses),
  durations: addAll(a.durations, b.durations),
  durationSeconds: a.durationSeconds + b.durationSeconds,
  upstreamDurations: addAll(a.upstreamDurations, b.upstreamDurations),
  upstreamSeconds: a.upstreamSeconds + b.upstreamSeconds,
  requestBytes: a.requestBytes + b.requestBytes,
  responseBytes: a.responseBytes + b.responseBytes,
})

const addAll = (a: readonly number[], b: readonly number[]): readonly number[] => a.map((value, i) => value + (b[i] ?? 0))
