import type { ApiResource } from './resource.ts'

/** The served versions of one group, the preferred one first. */
export interface Group {
  readonly name: string
  readonly versions: readonly GroupVersion[]
}

export interface GroupVersion {
  readonly version: string
  readonly resources: readonly ApiResource[]
}

/** Groups in the order of their first resource, the core group included (with the name ''). */
export const groupsOf = (resources: readonly ApiResource[]): readonly Group[] => {
  const groups = new Map<string, Map<string, ApiResource[]>>()
  for (const resource of resources) {
    const versions = groups.get(resource.group) ?? new Map<string, ApiResource[]>()
    const list = versions.get(resource.version) ?? []
    list.push(resource)
    groups.set(resource.group, versions.set(resource.version, list))
  }
  return [...groups].map(([name, versions]) => ({
    name,
    versions: [...versions]
      .map(([version, list]) => ({ version, resources: list }))
      .sort((a, b) => compareVersions(a.version, b.version)),
  }))
}

/** Kubernetes' order of API versions: stable before beta before alpha, then the higher number; anything else last, by name. */
export const compareVersions = (a: string, b: string): number => {
  const rankA = rank(a)
  const rankB = rank(b)
  for (const [index, value] of rankA.entries()) {
    const difference = (rankB[index] ?? 0) - value
    if (difference !== 0) return difference
  }
  return a < b ? -1 : a > b ? 1 : 0
}

const rank = (version: string): readonly [stability: number, major: number, minor: number] => {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
  if (match === null) return [0, 0, 0]
  const [, major, stage, minor] = match
  return [stage === undefined ? 3 : stage === 'beta' ? 2 : 1, Number(major), Number(minor ?? 0)]
}
