import { type RouteStats, sumRouteStats } from './telemetry/route-metrics.ts'

/** Counters of one worker, or their sum. */
export interface EngineStats {
  readonly connections: number
  readonly acceptedConnections: number
  readonly requests: number
  readonly tunnels: number
  readonly retries: number
  readonly upstreamConnects: number
  readonly tlsErrors: number
  /** Answers by the first digit of their status. */
  readonly responses: Readonly<Record<'1xx' | '2xx' | '3xx' | '4xx' | '5xx', number>>
  /** Requests that the engine answered itself, by reason. */
  readonly failures: ReadonlyMap<string, number>
  readonly routes: readonly RouteStats[]
  readonly droppedLogLines: number
  readonly droppedSpans: number
}

type Told = Pick<EngineStats, 'routes' | 'droppedLogLines' | 'droppedSpans'>

/** The counters as they are counted: plain fields, for the hot path. */
export class Stats {
  connections = 0
  acceptedConnections = 0
  requests = 0
  tunnels = 0
  retries = 0
  upstreamConnects = 0
  tlsErrors = 0
  readonly classes = new Float64Array(6)
  readonly failures = new Map<string, number>()

  countResponse(status: number): void {
    const digit = (status / 100) | 0
    this.classes[digit] = (this.classes[digit] ?? 0) + 1
  }

  countFailure(reason: string): void {
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1)
  }

  /** Of one worker; `told` is what its telemetry has counted. */
  snapshot(told: Told): EngineStats {
    const { connections, acceptedConnections, requests, tunnels, retries, upstreamConnects, tlsErrors, classes } = this
    const of = (digit: number): number => classes[digit] ?? 0
    const responses = { '1xx': of(1), '2xx': of(2), '3xx': of(3), '4xx': of(4), '5xx': of(5) }
    const failures = new Map(this.failures)
    const { routes, droppedLogLines, droppedSpans } = told
    return {
      connections,
      acceptedConnections,
      requests,
      tunnels,
      retries,
      upstreamConnects,
      tlsErrors,
      responses,
      failures,
      routes,
      droppedLogLines,
      droppedSpans,
    }
  }
}

/** The sum over workers. */
export const sumStats = (all: readonly EngineStats[]): EngineStats => {
  const total = new Stats()
  for (const stats of all) {
    total.connections += stats.connections
    total.acceptedConnections += stats.acceptedConnections
    total.requests += stats.requests
    total.tunnels += stats.tunnels
    total.retries += stats.retries
    total.upstreamConnects += stats.upstreamConnects
    total.tlsErrors += stats.tlsErrors
    Object.values(stats.responses).forEach((count, i) => {
      total.classes[i + 1] = (total.classes[i + 1] ?? 0) + count
    })
    for (const [reason, count] of stats.failures) total.failures.set(reason, (total.failures.get(reason) ?? 0) + count)
  }
  return total.snapshot({
    routes: sumRouteStats(all.map(({ routes }) => routes)),
    droppedLogLines: all.reduce((sum, { droppedLogLines }) => sum + droppedLogLines, 0),
    droppedSpans: all.reduce((sum, { droppedSpans }) => sum + droppedSpans, 0),
  })
}
