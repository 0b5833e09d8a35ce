/** How an endpoint stands in one backend. */
export interface Standing {
  readonly weight: number
  /** By its active checks. */
  readonly isUnhealthy: boolean
  /** When its failures spoke against it; 0 when they don't. */
  readonly failingSinceMs: number
}

export interface Eligible<T> {
  /** These take turns. */
  readonly first: readonly T[]
  /** Of weight 0: only when none of the first may be tried. */
  readonly spare: readonly T[]
  readonly ejected: readonly T[]
}

/**
 * Who may have requests. Unhealthy endpoints may when all are. Of the others, those that failed first are ejected, at most
 * `maxEjectedShare` of the backend's endpoints; none when all of them fail (panic: the fault is then hardly theirs, and few would carry
 * everything). So there is someone whenever there are endpoints.
 */
export const eligible = <T extends Standing>(all: readonly T[], maxEjectedShare: number): Eligible<T> => {
  const healthy = all.filter(({ isUnhealthy }) => !isUnhealthy)
  const candidates = healthy.length > 0 ? healthy : all
  const failing = candidates.filter(({ failingSinceMs }) => failingSinceMs > 0)
  const most = failing.length === candidates.length ? 0 : Math.floor(all.length * maxEjectedShare)
  const ejected = failing.sort((a, b) => a.failingSinceMs - b.failingSinceMs).slice(0, most)
  const out = new Set(ejected)
  const left = candidates.filter((one) => !out.has(one))
  const weighted = left.filter(({ weight }) => weight > 0)
  if (weighted.length === 0) return { first: left, spare: [], ejected }
  return { first: weighted, spare: left.filter(({ weight }) => weight === 0), ejected }
}
