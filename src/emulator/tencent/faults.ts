import { badValue } from './errors.ts'
import { numberOf, type Of, oneOf, optional, record, type Shape, text, whole } from './shape.ts'

const fraction: Shape<number> = {
  read: (value, at) => {
    if (typeof value !== 'number' || !(value > 0 && value <= 1)) throw badValue(at, 'a number above 0, at most 1, is expected')
    return value
  },
}

/** What `POST /_emulator/faults` takes. */
export const faultShape = record({
  /**
   * `latency`: the answer comes later. `throttle`: RequestLimitExceeded. `error`: `code` is answered. `drop-request`: the connection is cut, nothing is done.
   * `lose-response`: it is done, and the connection is cut. `partial`: so many `listeners` of a batch fail. `fail-task`: accepted, fails in the end.
   * `outage`: 503.
   */
  kind: oneOf('latency', 'throttle', 'error', 'drop-request', 'lose-response', 'partial', 'fail-task', 'outage'),
  /** Every action when left out. */
  action: optional(text({ max: 80 })),
  /** Calls that it meets; all when left out. */
  times: optional(whole(1, 1_000_000)),
  /** Calls that pass before it begins. */
  after: optional(whole(0, 1_000_000)),
  /** Of the calls that it could meet; all when left out. */
  probability: optional(fraction),
  ms: optional(whole(0, 600_000)),
  code: optional(text({ max: 80 })),
  message: optional(text({ max: 200 })),
  listeners: optional(whole(1, 100)),
  status: optional(numberOf(500, 502, 503, 504)),
})

type Fault = Of<typeof faultShape>
export type ActiveFault = Fault & { readonly id: string }

export interface Faults {
  add(fault: Fault): ActiveFault
  list(): readonly ActiveFault[]
  /** All when no id is given; false when there is none with this id. */
  remove(id?: string): boolean
  /** The faults that meet this call; each that has a number of `times` is used up by it. */
  meet(action: string): readonly ActiveFault[]
}

export const createFaults = (random: () => number): Faults => {
  const active = new Map<string, ActiveFault>()
  let count = 0
  const meets = (fault: ActiveFault, action: string): boolean => {
    if (fault.action === undefined ? !couldMeet(fault, action) : fault.action !== action) return false
    if (fault.probability !== undefined && random() >= fault.probability) return false
    const { after = 0 } = fault
    if (after > 0) active.set(fault.id, { ...fault, after: after - 1 })
    return after === 0
  }
  const useUp = (fault: ActiveFault): void => {
    if (fault.times === undefined) return
    if (fault.times === 1) active.delete(fault.id)
    else active.set(fault.id, { ...fault, times: fault.times - 1 })
  }
  return {
    add: (fault) => {
      const added = { ...fault, id: `fault-${++count}` }
      active.set(added.id, added)
      return added
    },
    list: () => [...active.values()],
    remove: (id) => {
      if (id !== undefined) return active.delete(id)
      active.clear()
      return true
    },
    meet: (action) => {
      const met = [...active.values()].filter((fault) => meets(fault, action))
      for (const fault of met) useUp(fault)
      return met
    },
  }
}

/** Without an action, a fault waits for a call that it can do something to. */
const couldMeet = ({ kind }: Fault, action: string): boolean => {
  if (kind === 'partial') return action.startsWith('Batch')
  return kind !== 'fail-task' || !/^(Describe|Get|Batch|Set|Tag|UnTag)/.test(action) || action === 'BatchModifyTargetWeight'
}
