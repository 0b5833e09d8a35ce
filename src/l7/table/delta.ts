import { isDeepStrictEqual } from 'node:util'
import type { Backend, Certificate, ClientAuth, HostPattern, HostRoutes, RouteTable, TableDelta, Target } from './route-table.ts'

/** The change that makes `next` out of `previous`; undefined when they are equal. */
export const diffTables = (previous: RouteTable, next: RouteTable): TableDelta | undefined => {
  const delta = {
    hosts: diffMaps(previous.hosts, next.hosts),
    backends: diffMaps(previous.backends, next.backends),
    tlsHosts: diffMaps(previous.tlsHosts, next.tlsHosts),
    certificates: diffMaps(previous.certificates, next.certificates),
    clientAuth: diffMaps(previous.clientAuth, next.clientAuth),
    passthrough: diffMaps(previous.passthrough, next.passthrough),
    challenges: diffMaps(previous.challenges, next.challenges),
  }
  const sameFallback = isDeepStrictEqual(previous.fallback, next.fallback)
  if (sameFallback && Object.values(delta).every((map) => map === undefined)) return undefined
  return { ...delta, ...(sameFallback ? {} : { fallback: next.fallback ?? null }) }
}

const diffMaps = <T>(
  previous: ReadonlyMap<string, T> = new Map(),
  next: ReadonlyMap<string, T> = new Map(),
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
  readonly clientAuth = new Map<HostPattern, ClientAuth>()
  readonly passthrough = new Map<HostPattern, Target>()
  readonly challenges = new Map<string, string>()
  fallback: RouteTable['fallback']

  apply(delta: TableDelta): void {
    patch(this.hosts, delta.hosts)
    patch(this.backends, delta.backends)
    patch(this.tlsHosts, delta.tlsHosts)
    patch(this.certificates, delta.certificates)
    patch(this.clientAuth, delta.clientAuth)
    patch(this.passthrough, delta.passthrough)
    patch(this.challenges, delta.challenges)
    if (delta.fallback !== undefined) this.fallback = delta.fallback ?? undefined
  }

  /** The whole table as the change from nothing. */
  asDelta(): TableDelta {
    return {
      hosts: this.hosts,
      backends: this.backends,
      tlsHosts: this.tlsHosts,
      certificates: this.certificates,
      clientAuth: this.clientAuth,
      passthrough: this.passthrough,
      challenges: this.challenges,
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
