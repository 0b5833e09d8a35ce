import { describe, expect, it } from 'vitest'
import { type DesiredWayOut, desiredWayOut } from './desired.ts'
import type { WayOutSnapshot } from './snapshot.ts'

const machine = (
  change: Partial<Omit<WayOutSnapshot, 'forwards'>> & { forwards?: Record<string, boolean> } = {},
): WayOutSnapshot => {
  const { forwards = { eth0: false }, ...rest } = change
  const nothing = { uplinks: ['eth0'], machineForwards: false, opened: undefined, openedByOthers: [] }
  return { ...nothing, ...rest, forwards: new Map(Object.entries(forwards)) }
}
const nothing: DesiredWayOut = { opened: [], switchOff: [] }

describe('which devices forward for pods', () => {
  it.each<[string, WayOutSnapshot, Partial<DesiredWayOut>]>([
    ['an uplink that does not is opened', machine(), { opened: ['eth0'] }],
    ['no default route, no device', machine({ uplinks: [], forwards: {} }), {}],
    ['an uplink that does by itself stays its own', machine({ forwards: { eth0: true } }), {}],
    ['what was opened stays opened', machine({ opened: ['eth0'], forwards: { eth0: true } }), { opened: ['eth0'] }],
    ['what another switched off is opened again', machine({ opened: ['eth0'] }), { opened: ['eth0'] }],
    [
      'what another instance opened is shared',
      machine({ openedByOthers: ['eth0'], forwards: { eth0: true } }),
      { opened: ['eth0'] },
    ],
    [
      'an uplink no longer is given back',
      machine({ opened: ['eth0'], uplinks: ['wlan0'], forwards: { eth0: true, wlan0: false } }),
      { opened: ['wlan0'], switchOff: ['eth0'] },
    ],
    ['a device that is gone is forgotten', machine({ opened: ['eth0'], uplinks: [], forwards: {} }), {}],
    ['an uplink without a setting is passed over', machine({ forwards: {} }), {}],
    [
      'a machine that forwards by now keeps the device',
      machine({ machineForwards: true, opened: ['eth0'], forwards: { eth0: true } }),
      {},
    ],
  ])('%s', (_, snapshot, expected) => {
    expect(desiredWayOut(snapshot, 'open')).toEqual({ ...nothing, ...expected })
  })

  it.each<[string, WayOutSnapshot, readonly string[]]>([
    ['what was opened', machine({ opened: ['eth0'], forwards: { eth0: true } }), ['eth0']],
    [
      'not what another instance still needs',
      machine({ opened: ['eth0'], openedByOthers: ['eth0'], forwards: { eth0: true } }),
      [],
    ],
    [
      'not what the machine forwards by itself',
      machine({ machineForwards: true, opened: ['eth0'], forwards: { eth0: true } }),
      [],
    ],
  ])('the end gives back %s', (_, snapshot, switchOff) => {
    expect(desiredWayOut(snapshot, 'closed')).toEqual({ ...nothing, switchOff })
  })
})
