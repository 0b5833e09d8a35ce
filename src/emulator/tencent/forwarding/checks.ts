import type { Clock, Timer } from '../../../base/index.ts'
import type { Health } from '../actions/index.ts'
import { groupsOf, type HealthCheck, type Listener, type Rule, type Target } from '../model.ts'
import { probe } from './probes.ts'

/** The health checks of every target of every listener. */
export interface Checks {
  /** Checks what the listener has now, and nothing else of it; `onChange` is called when a target's health changes. */
  watch(listener: Listener, onChange: () => void): void
  forget(listenerId: string): void
  healthOf(group: Listener | Rule, target: Target): Health
  close(): void
}

interface Watched {
  check: HealthCheck
  readonly target: Target
  readonly isUdp: boolean
  onChange: () => void
  health: 'Alive' | 'Dead' | 'Unknown'
  /** Results in a row that speak against `health`. */
  against: number
  timer: Timer | undefined
  isForgotten: boolean
}

/** However short the seconds of a test are, a busy machine gets this long to answer. */
const MIN_TIMEOUT_MS = 500

/** `secondMs`: how long a second of intervals and timeouts takes. */
export const createChecks = (clock: Clock, secondMs: number): Checks => {
  const watched = new Map<string, Watched>()
  const keysOf = new Map<string, ReadonlySet<string>>()

  const run = (one: Watched): void => {
    const { check, target, isUdp } = one
    const timeoutMs = Math.max(check.timeout * secondMs, MIN_TIMEOUT_MS)
    probe({ check, isUdp, address: target.address, port: check.port ?? target.port, timeoutMs }).then(
      (isWell) => {
        if (one.isForgotten) return
        one.timer = clock.setTimer(() => run(one), one.check.interval * secondMs)
        if (judge(one, isWell)) one.onChange()
      },
      () => {},
    )
  }
  const drop = (key: string): void => {
    const one = watched.get(key)
    if (one === undefined) return
    one.isForgotten = true
    one.timer?.cancel()
    watched.delete(key)
  }

  const forget = (listenerId: string): void => {
    for (const key of keysOf.get(listenerId) ?? []) drop(key)
    keysOf.delete(listenerId)
  }

  return {
    watch: (listener, onChange) => {
      const keys = new Set<string>()
      for (const group of groupsOf(listener)) {
        if (!group.healthCheck.isOn) continue
        for (const target of group.targets) {
          const key = keyOf(group, target)
          keys.add(key)
          const known = watched.get(key)
          if (known !== undefined) {
            known.check = group.healthCheck
            known.onChange = onChange
            continue
          }
          const isUdp = listener.protocol === 'UDP'
          const one: Watched = {
            check: group.healthCheck,
            target,
            isUdp,
            onChange,
            health: 'Unknown',
            against: 0,
            timer: undefined,
            isForgotten: false,
          }
          watched.set(key, one)
          run(one)
        }
      }
      for (const key of keysOf.get(listener.id) ?? []) if (!keys.has(key)) drop(key)
      keysOf.set(listener.id, keys)
    },
    forget,
    healthOf: (group, target) => (group.healthCheck.isOn ? (watched.get(keyOf(group, target))?.health ?? 'Unknown') : 'Close'),
    close: () => {
      for (const id of [...keysOf.keys()]) forget(id)
    },
  }
}

const keyOf = ({ id }: Listener | Rule, { address, port }: Target): string => `${id} ${address} ${port}`

/** True when the health changed. A target that nothing is known of is alive by its first good answer. */
const judge = (one: Watched, isWell: boolean): boolean => {
  const { healthyAfter, unhealthyAfter } = one.check
  if (one.health === (isWell ? 'Alive' : 'Dead')) {
    one.against = 0
    return false
  }
  one.against = one.health === 'Unknown' && isWell ? healthyAfter : one.against + 1
  if (one.against < (isWell ? healthyAfter : unhealthyAfter)) return false
  one.health = isWell ? 'Alive' : 'Dead'
  one.against = 0
  return true
}
