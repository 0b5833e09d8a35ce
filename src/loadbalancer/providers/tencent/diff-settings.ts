import type { GroupSettings, HealthCheck } from './client/index.ts'

/** Of the settings that are wanted, those that differ; undefined when all are there. A health check is told whole. */
export const changesOfSettings = (present: GroupSettings, wanted: GroupSettings): GroupSettings | undefined => {
  const { healthCheck, ...scalars } = wanted
  const changed = Object.entries(scalars).filter(
    ([name, value]) => value !== undefined && value !== present[name as keyof GroupSettings],
  )
  const isCheckSame = healthCheck === undefined || sameCheck(present.healthCheck ?? {}, healthCheck)
  if (changed.length === 0 && isCheckSame) return undefined
  return { ...Object.fromEntries(changed), ...(isCheckSame ? {} : { healthCheck }) }
}

const sameCheck = (present: HealthCheck, wanted: HealthCheck): boolean =>
  Object.entries(wanted).every(([name, value]) => value === undefined || present[name as keyof HealthCheck] === value)
