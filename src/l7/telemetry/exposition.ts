import type { EngineStats } from '../stats.ts'
import { DURATION_BOUNDS, type RouteStats } from './route-metrics.ts'

/** The engine's counters in Prometheus' text format, version 0.0.4. */
export const engineMetricsText = (stats: EngineStats): string =>
  [
    ...metric('fairway_ingress_connections', 'gauge', 'Connections of clients.', [['', stats.connections]]),
    ...metric('fairway_ingress_connections_total', 'counter', 'Connections of clients that were accepted.', [
      ['', stats.acceptedConnections],
    ]),
    ...metric('fairway_ingress_tls_errors_total', 'counter', 'TLS handshakes that failed.', [['', stats.tlsErrors]]),
    ...metric('fairway_ingress_tunnels_total', 'counter', 'Requests that became WebSockets.', [['', stats.tunnels]]),
    ...metric('fairway_ingress_retries_total', 'counter', 'Requests that were sent again.', [['', stats.retries]]),
    ...metric('fairway_ingress_upstream_connections_total', 'counter', 'Connections to pods.', [['', stats.upstreamConnects]]),
    ...metric(
      'fairway_ingress_own_answers_total',
      'counter',
      'Requests that the engine answered itself, by reason.',
      [...stats.failures].map(([reason, value]) => [labels({ reason }), value] as const),
    ),
    ...metric('fairway_ingress_access_log_dropped_total', 'counter', 'Lines of the access log that were dropped.', [
      ['', stats.droppedLogLines],
    ]),
    ...metric('fairway_ingress_spans_dropped_total', 'counter', 'Spans that could not be sent.', [['', stats.droppedSpans]]),
    ...routeMetrics(stats.routes),
    '',
  ].join('\n')

const CLASSES = ['499', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

const routeMetrics = (routes: readonly RouteStats[]): readonly string[] => [
  ...metric(
    'fairway_ingress_requests_total',
    'counter',
    'Requests by Ingress, Service and class of status; 499 for clients that went away.',
    routes.flatMap((route) =>
      CLASSES.map((status, i) => [labels({ ...names(route), status }), route.responses[i] ?? 0] as const).filter(
        ([, value]) => value > 0,
      ),
    ),
  ),
  ...histogram(
    'fairway_ingress_request_duration_seconds',
    'From the end of the head to the end of the answer.',
    routes,
    (route) => ({
      buckets: route.durations,
      sum: route.durationSeconds,
    }),
  ),
  ...histogram(
    'fairway_ingress_upstream_duration_seconds',
    "From the request's head to the head of the pod's answer.",
    routes,
    (route) => ({
      buckets: route.upstreamDurations,
      sum: route.upstreamSeconds,
    }),
  ),
  ...metric(
    'fairway_ingress_request_bytes_total',
    'counter',
    'Bytes of requests without heads.',
    routes.map((route) => [labels(names(route)), route.requestBytes]),
  ),
  ...metric(
    'fairway_ingress_response_bytes_total',
    'counter',
    'Bytes of answers without heads.',
    routes.map((route) => [labels(names(route)), route.responseBytes]),
  ),
]

const names = ({ ingress, service }: RouteStats): Readonly<Record<string, string>> => ({ ingress, service })

const histogram = (
  name: string,
  help: string,
  routes: readonly RouteStats[],
  pick: (route: RouteStats) => { readonly buckets: readonly number[]; readonly sum: number },
): readonly string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} histogram`,
  ...routes.flatMap((route) => {
    const { buckets, sum } = pick(route)
    let total = 0
    const lines = [...DURATION_BOUNDS.map(String), '+Inf'].map((le, i) => {
      total += buckets[i] ?? 0
      return `${name}_bucket${labels({ ...names(route), le })} ${total}`
    })
    return [...lines, `${name}_sum${labels(names(route))} ${sum}`, `${name}_count${labels(names(route))} ${total}`]
  }),
]

const metric = (
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  samples: readonly (readonly [labels: string, value: number])[],
): readonly string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
  ...samples.map(([of, value]) => `${name}${of} ${value}`),
]

const labels = (pairs: Readonly<Record<string, string>>): string =>
  `{${Object.entries(pairs)
    .map(
      ([key, value]) => `${key}="${value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))}"`,
    )
    .join(',')}}`
