import type { ObjectReference } from '../api/index.ts'
import type { Clock } from '../base/index.ts'

/** Keeps one object from flooding the store with Events (the limits are client-go's). */
export interface EventThrottle {
  /** What to record; undefined when the Event is dropped. */
  admit(
    about: ObjectReference,
    what: { readonly type: string; readonly reason: string; readonly message: string },
  ): Admitted | undefined
}

/** `identity` is the same for Events that become one: the message, unless too many differ only in it. */
interface Admitted {
  readonly message: string
  readonly identity: string
}

const COMBINED = '(combined from similar events)'
const BURST = 25
const REFILL_MS = 300_000
const SIMILAR_LIMIT = 10
const SIMILAR_MS = 600_000
const REMEMBERED = 4096

export const createEventThrottle = (clock: Clock): EventThrottle => {
  const budgets = new Map<string, { tokens: number; at: number }>()
  const similar = new Map<string, { readonly messages: Set<string>; at: number }>()

  const hasBudget = (key: string): boolean => {
    const now = clock.monotonic()
    const budget = budgets.get(key) ?? { tokens: BURST, at: now }
    const tokens = Math.min(BURST, budget.tokens + (now - budget.at) / REFILL_MS)
    limited(budgets, key, { tokens: Math.max(0, tokens - 1), at: now })
    return tokens >= 1
  }
  const isOneOfMany = (key: string, message: string): boolean => {
    const now = clock.monotonic()
    const known = similar.get(key)
    const group = known && now - known.at < SIMILAR_MS ? known : { messages: new Set<string>(), at: now }
    if (group.messages.size <= SIMILAR_LIMIT) group.messages.add(message)
    limited(similar, key, group)
    return group.messages.size > SIMILAR_LIMIT
  }
  return {
    admit({ kind, namespace, name, uid }, { type, reason, message }) {
      const object = [kind, namespace, name, uid]
      if (!hasBudget(JSON.stringify(object))) return undefined
      const combined = isOneOfMany(JSON.stringify([...object, type, reason]), message)
      return combined ? { message: `${COMBINED}: ${message}`, identity: COMBINED } : { message, identity: message }
    },
  }
}

const limited = <V>(map: Map<string, V>, key: string, value: V): void => {
  map.delete(key)
  map.set(key, value)
  const oldest = map.keys().next()
  if (map.size > REMEMBERED && !oldest.done) map.delete(oldest.value)
}
