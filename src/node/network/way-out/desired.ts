import type { WayOutSnapshot } from './snapshot.ts'

export interface DesiredWayOut {
  /** Devices that forward because of this instance: they are guarded, told to, and given back. */
  readonly opened: readonly string[]
  /** Those that must be told to stop. */
  readonly switchOff: readonly string[]
}

/**
 * Which uplinks must forward, so that answers find their way back to pods. A machine that forwards by itself needs nothing and is given nothing
 * back; a device that another instance has opened is shared, and the last one gives it back.
 */
export const desiredWayOut = (snapshot: WayOutSnapshot, wanted: 'open' | 'closed'): DesiredWayOut => {
  const { uplinks, forwards, machineForwards, openedByOthers } = snapshot
  const before = snapshot.opened ?? []
  const needsUs = (device: string): boolean =>
    forwards.get(device) === false || (forwards.has(device) && [...before, ...openedByOthers].includes(device))
  const opened = machineForwards || wanted === 'closed' ? [] : uplinks.filter(needsUs)
  const dropped = before.filter((device) => !opened.includes(device))
  return {
    opened,
    switchOff: machineForwards
      ? []
      : dropped.filter((device) => forwards.get(device) === true && !openedByOthers.includes(device)),
  }
}
