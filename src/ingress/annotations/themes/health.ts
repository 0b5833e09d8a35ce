import type { HealthCheck } from '../../../l7/table/index.ts'
import { honoured, type ValuesOf } from '../annotation.ts'
import { hostName, path } from '../grammar/names.ts'
import { is, isNot, type Parser } from '../grammar/reading.ts'
import { duration, integer } from '../grammar/scalars.ts'

const statuses: Parser<readonly [number, number]> = (text) => {
  const [, from, to = from] = /^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/.exec(text) ?? []
  const isRange = from !== undefined && Number(from) <= Number(to)
  return isRange ? is([Number(from), Number(to)]) : isNot('a status or a range such as 200-399')
}

/** With the prefix `fairway.dev/`: what ingress-nginx has no name for. */
export const healthAnnotations = {
  'health-check-path': honoured(path),
  'health-check-host': honoured(hostName),
  'health-check-interval': honoured(duration),
  'health-check-timeout': honoured(duration),
  'health-check-healthy-after': honoured(integer(1, 100)),
  'health-check-unhealthy-after': honoured(integer(1, 100)),
  'health-check-statuses': honoured(statuses),
  'slow-start': honoured(duration),
} as const

type Values = ValuesOf<typeof healthAnnotations>

const SHORTEST_INTERVAL_MS = 100

export const healthCheck = (values: Values): HealthCheck | undefined => {
  const checked = values['health-check-path']
  if (checked === undefined) return undefined
  const host = values['health-check-host']
  const intervalMs = Math.max(values['health-check-interval'] ?? 10_000, SHORTEST_INTERVAL_MS)
  return {
    path: checked,
    ...(host && { host }),
    intervalMs,
    timeoutMs: Math.max(Math.min(values['health-check-timeout'] ?? 2_000, intervalMs), SHORTEST_INTERVAL_MS),
    healthyAfter: values['health-check-healthy-after'] ?? 2,
    unhealthyAfter: values['health-check-unhealthy-after'] ?? 3,
    statuses: values['health-check-statuses'] ?? [200, 399],
  }
}
