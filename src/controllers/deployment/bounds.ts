import type { Deployment } from '../../api/index.ts'

/** How far a rollout may leave the wanted number of pods. */
export interface RolloutBounds {
  readonly replicas: number
  readonly maxSurge: number
  readonly maxUnavailable: number
}

/** Percentages become numbers: surge is rounded up, unavailability down; they are never both 0, or nothing could move. */
export const rolloutBounds = ({ spec }: Deployment): RolloutBounds => {
  const replicas = spec.replicas ?? 1
  if (spec.strategy?.type === 'Recreate') return { replicas, maxSurge: 0, maxUnavailable: 0 }
  const { maxSurge = '25%', maxUnavailable = '25%' } = spec.strategy?.rollingUpdate ?? {}
  const surge = scaled(maxSurge, replicas, Math.ceil)
  const unavailable = scaled(maxUnavailable, replicas, Math.floor)
  if (surge === 0 && unavailable === 0) return { replicas, maxSurge: 0, maxUnavailable: replicas > 0 ? 1 : 0 }
  return { replicas, maxSurge: surge, maxUnavailable: Math.min(unavailable, replicas) }
}

const scaled = (value: number | string, total: number, round: (value: number) => number): number => {
  if (typeof value === 'number') return Math.max(0, value)
  const [, percent] = /^(\d{1,9})%$/.exec(value) ?? []
  return percent === undefined ? 0 : round((Number(percent) * total) / 100)
}
