import { isDeepStrictEqual } from 'node:util'
import type { Backend, Certificate, HostPattern, HostRoutes, RouteTable, TableDelta } from './route-table.ts'

/** The change that makes `next` out of `previous`; undefined when they are equal. */
export const diffTables = (previous: RouteTable, next: RouteTable): TableDelta | undefined => {
  const hosts = diffMaps(previous.hosts, next.hosts)
  const backends = diffMaps(previous.backends, next.backends)
  const tlsHosts = diffMaps(previous.tlsHosts, next.tlsHosts)
  const certificates = diffMaps(previous.certificates, next.certificates)
  const sameFallback = isDeepStrictEqual(previous.fallback, next.fallback)
  if (hosts === undefined && backends === undefined && tlsHosts === undefined && certificates === undefined && sameFallback)
    return undefined
  return { hosts, backends, tlsHosts, certificates, ...(sameFallback ? {} : { fallback: next.fallback ?? null }) }
}

const diffMaps = <T>(
  previous: ReadonlyMap<string, T>,
  next: ReadonlyMap<string, T>,
): ReadonlyMap<string, T | null> | undefined => {
  const delta = new Map<string, T | null>()
  for (const [key, value] of next) {
    const old = previous.get(key)
    if (old !== value && !isDeepStrictEqual(old, value)) delta.set(key, value)
  }
  for (const key of previous.keys()) if (!next.has(key)) delta.set(key, null)
  return delta.size === 0 ? undefined : delta
}

/** A table that deltas are applied to in place; the supervisor keeps one for workers that start later. */
export class LiveTable implements RouteTable {
  readonly hosts = new Map<HostPattern, HostRoutes>()
  readonly backends = new Map<string, Backend>()
  readonly tlsHosts = new Map<HostPattern, string>()
  readonly certificates = new Map<string, Certificate>()
  fallback: RouteTable['fallback']

  apply(delta: TableDelta): void {
    patch(this.hosts, delta.hosts)
    patch(this.backends, delta.backends)
    patch(this.tlsHosts, delta.tlsHosts)
    patch(this.certificates, delta.certificates)
    if (delta.fallback !== undefined) this.fallback = delta.fallback ?? undefined
  }

  /** The whole table as the change from nothing. */
  asDelta(): TableDelta {
    return {
      hosts: this.hosts,
      backends: this.backends,
      tlsHosts: this.tlsHosts,
      certificates: this.certificates,
      fallback: this.fallback ?? null,
    }
  }
}

const patch = <T>(map: Map<string, T>, delta: ReadonlyMap<string, T | null> | undefined): void => {
  for (const [key, value] of delta ?? []) {
    if (value === null) map.delete(key)
    else map.set(key, value)
  }
}
