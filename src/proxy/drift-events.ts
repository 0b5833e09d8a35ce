import type { EventText } from '../client/index.ts'
import type { Drift } from './backend.ts'

export interface ServiceRef {
  readonly namespace: string
  readonly name: string
}

/** An Event about a Service, or about the Node where `service` is left out. */
export interface DriftEvent {
  readonly service?: ServiceRef
  readonly event: EventText
}

/** Somebody who flushes all rules must not cause an Event for each of ten thousand Services. */
const MAX_SERVICES = 10
const MAX_NAMED = 3

/**
 * What an audit found, as Warnings: one for each Service concerned, or a single one about the Node when they are many; what belongs to no
 * Service is told of the Node. `serviceOf` names the Service of a Forwarding's key.
 */
export const driftEvents = (
  drift: readonly Drift[],
  serviceOf: (key: string) => ServiceRef | undefined,
): readonly DriftEvent[] => {
  const byService = new Map<string, { readonly service: ServiceRef; readonly drift: Drift[] }>()
  const others: Drift[] = []
  for (const each of drift) {
    const service = each.key === undefined ? undefined : serviceOf(each.key)
    if (service === undefined) {
      others.push(each)
      continue
    }
    const id = `${service.namespace}/${service.name}`
    const known = byService.get(id)
    if (known === undefined) byService.set(id, { service, drift: [each] })
    else known.drift.push(each)
  }
  if (byService.size > MAX_SERVICES) {
    return [{ event: warning(`${byService.size} Services differed from the intent and were repaired: ${listed(drift)}`) }]
  }
  return [
    ...[...byService.values()].map(({ service, drift: own }) => ({ service, event: warning(`repaired: ${listed(own)}`) })),
    ...(others.length === 0 ? [] : [{ event: warning(`repaired: ${listed(others)}`) }]),
  ]
}

const warning = (message: string): EventText => ({ type: 'Warning', reason: 'ProxyDrift', message })

/** The first few; `missing: element 10.96.0.10 . tcp . 80 of map services; and 12 more`. */
const listed = (drift: readonly Drift[]): string => {
  const named = drift.slice(0, MAX_NAMED).map(({ kind, what }) => `${kind}: ${what}`)
  return [...named, ...(drift.length > MAX_NAMED ? [`and ${drift.length - MAX_NAMED} more`] : [])].join('; ')
}
