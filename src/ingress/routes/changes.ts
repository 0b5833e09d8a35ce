import type { RouteTable, TableDelta } from '../../l7/table/index.ts'

const MAPS = ['hosts', 'backends', 'tlsHosts', 'certificates', 'clientAuth', 'passthrough'] as const

type MapValue<M> = M extends ReadonlyMap<string, infer V> ? V : never
export type MutableDelta = {
  readonly [K in (typeof MAPS)[number]]: Map<string, MapValue<NonNullable<TableDelta[K]>>>
} & { fallback?: TableDelta['fallback'] }

export const newDelta = (): MutableDelta => ({
  hosts: new Map(),
  backends: new Map(),
  tlsHosts: new Map(),
  certificates: new Map(),
  clientAuth: new Map(),
  passthrough: new Map(),
})

/** A delta without the entries that are in the table as they are; undefined when none is left. */
export const realChanges = (table: RouteTable, delta: MutableDelta): TableDelta | undefined => {
  const { hosts, backends, tlsHosts, certificates, clientAuth, passthrough } = delta
  const maps = {
    hosts: changed(table.hosts, hosts),
    backends: changed(table.backends, backends),
    tlsHosts: changed(table.tlsHosts, tlsHosts),
    certificates: changed(table.certificates, certificates),
    clientAuth: changed(table.clientAuth, clientAuth),
    passthrough: changed(table.passthrough, passthrough),
  }
  const fallback = same(table.fallback ?? null, delta.fallback ?? null) ? undefined : delta.fallback
  const size = Object.values(maps).reduce((sum, map) => sum + map.size, 0)
  return size === 0 && fallback === undefined ? undefined : { ...maps, fallback }
}

const changed = <T>(
  table: ReadonlyMap<string, T> | undefined,
  delta: ReadonlyMap<string, T | null>,
): ReadonlyMap<string, T | null> => new Map([...delta].filter(([key, value]) => !same(table?.get(key) ?? null, value)))

/** The compilers build equal values in the same order of keys. */
const same = (a: unknown, b: unknown): boolean => a === b || textOf(a) === textOf(b)

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => (each instanceof Map ? { map: [...each] } : each)) ?? 'undefined'
