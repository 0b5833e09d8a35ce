import type { Endpoint, EndpointSlice, SlicePort } from '../api/index.ts'
import type { IPFamily } from '../ip/index.ts'
import { clip, namedAddress } from './address.ts'
import type { Conditions, IgnoredEndpoint, PodRef, Protocol, Target } from './forwarding.ts'

/** The label by which an EndpointSlice names its Service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'

/** `namespace/name` of the Service that a slice belongs to; undefined when it names none. */
export const serviceOfSlice = (slice: EndpointSlice): string | undefined => {
  const name = slice.metadata.labels?.[SERVICE_NAME_LABEL]
  return name === undefined || name === '' ? undefined : `${slice.metadata.namespace ?? ''}/${name}`
}

/** Index for informers of EndpointSlices: `byIndex('service', 'namespace/name')`. */
export const sliceIndexes = {
  service: (slice: EndpointSlice): readonly string[] => {
    const service = serviceOfSlice(slice)
    return service === undefined ? [] : [service]
  },
} as const

/** One endpoint of one Service port, after the defaults and before any choice. */
export interface SliceEndpoint extends Target {
  readonly conditions: Conditions
  readonly nodeName?: string
  readonly zone?: string
  readonly hostname?: string
  readonly pod?: PodRef
  readonly forNodes: readonly string[]
  readonly forZones: readonly string[]
  readonly slice: string
}

export interface PortEndpoints {
  /** Sorted by address, then port; no two alike. */
  readonly endpoints: readonly SliceEndpoint[]
  readonly ignored: readonly IgnoredEndpoint[]
}

/**
 * The endpoints of the Service port of this name and protocol over all its slices of one family. The port's number may differ from slice
 * to slice. An endpoint that several slices have (it moves between them, or two controllers wrote it) counts once: the readiest wins.
 */
export const portEndpoints = (
  slices: readonly EndpointSlice[],
  family: IPFamily,
  wanted: { readonly name: string; readonly protocol: Protocol },
): PortEndpoints => {
  const found = new Map<string, SliceEndpoint>()
  const ignored: IgnoredEndpoint[] = []
  for (const slice of slices) {
    if (slice.addressType !== family) continue
    for (const port of slice.ports ?? []) {
      if ((port.name ?? '') !== wanted.name || (port.protocol ?? 'TCP') !== wanted.protocol) continue
      collect(slice, port, { found, ignored })
    }
  }
  return { endpoints: [...found.values()].sort(byAddressAndPort), ignored: sortedIgnored(ignored) }
}

interface Collection {
  readonly found: Map<string, SliceEndpoint>
  readonly ignored: IgnoredEndpoint[]
}

const collect = (slice: EndpointSlice, port: SlicePort, { found, ignored }: Collection): void => {
  const number = port.port
  if (number === undefined || !isPortNumber(number)) {
    ignored.push({ slice: slice.metadata.name, address: '', reason: 'NoPortNumber' })
    return
  }
  for (const endpoint of slice.endpoints ?? []) {
    // The API allows several addresses; consumers use the first (discovery/v1).
    const written = endpoint.addresses[0]
    const address = written === undefined ? 'NoAddress' : namedAddress(written)
    if (typeof address === 'string' || address.family !== slice.addressType) {
      const reason = typeof address === 'string' ? address : 'WrongFamily'
      ignored.push({ slice: slice.metadata.name, address: clip(written ?? ''), reason })
      continue
    }
    const candidate = sliceEndpoint(slice, endpoint, { address: address.text, port: number })
    const key = `${candidate.address} ${number}`
    const known = found.get(key)
    if (known === undefined || prefer(candidate, known) < 0) found.set(key, candidate)
  }
}

export const isPortNumber = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65535

const sliceEndpoint = (slice: EndpointSlice, endpoint: Endpoint, target: Target): SliceEndpoint => {
  const ref = endpoint.targetRef
  return {
    ...target,
    conditions: conditionsOf(endpoint),
    ...(endpoint.nodeName === undefined ? {} : { nodeName: endpoint.nodeName }),
    ...(endpoint.zone === undefined ? {} : { zone: endpoint.zone }),
    ...(endpoint.hostname === undefined ? {} : { hostname: endpoint.hostname }),
    ...(ref?.kind === 'Pod'
      ? {
          pod: {
            namespace: ref.namespace ?? slice.metadata.namespace ?? '',
            name: ref.name ?? '',
            ...(ref.uid === undefined ? {} : { uid: ref.uid }),
          },
        }
      : {}),
    forNodes: (endpoint.hints?.forNodes ?? []).map((hint) => hint.name),
    forZones: (endpoint.hints?.forZones ?? []).map((hint) => hint.name),
    slice: slice.metadata.name,
  }
}

/** A missing ready means true, a missing serving means ready, a missing terminating false (discovery/v1). Equal ones are one object. */
export const conditionsOf = ({ conditions }: Endpoint): Conditions => {
  const ready = conditions?.ready ?? true
  const serving = conditions?.serving ?? ready
  const terminating = conditions?.terminating ?? false
  return CONDITIONS.find((each) => each.ready === ready && each.serving === serving && each.terminating === terminating) ?? READY
}

const READY: Conditions = { ready: true, serving: true, terminating: false }
const BOTH = [true, false]
const CONDITIONS: readonly Conditions[] = [
  READY,
  ...BOTH.flatMap((ready) => BOTH.flatMap((serving) => BOTH.map((terminating) => ({ ready, serving, terminating })))),
]

/** A total order on records of the same endpoint, so that the winner doesn't depend on the order in which slices are read. */
const prefer = (a: SliceEndpoint, b: SliceEndpoint): number =>
  flag(b.conditions.ready) - flag(a.conditions.ready) ||
  flag(b.conditions.serving) - flag(a.conditions.serving) ||
  flag(a.conditions.terminating) - flag(b.conditions.terminating) ||
  compareText(a.slice, b.slice) ||
  compareText(JSON.stringify(a), JSON.stringify(b))

const flag = (value: boolean): number => (value ? 1 : 0)

const compareText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

const byAddressAndPort = (a: Target, b: Target): number => compareText(a.address, b.address) || a.port - b.port

const sortedIgnored = (ignored: readonly IgnoredEndpoint[]): readonly IgnoredEndpoint[] =>
  [...ignored].sort(
    (a, b) => compareText(a.slice, b.slice) || compareText(a.address, b.address) || compareText(a.reason, b.reason),
  )
