import { errorMessage } from '../../../base/index.ts'
import type { Exec } from '../../../host/index.ts'
import { createSysctls } from '../../../kernel/link/index.ts'
import { createNft, type Nft } from '../../../kernel/nft/index.ts'
import { type DesiredWayOut, desiredWayOut } from './desired.ts'
import { renderWayOut, wayOutTable } from './render.ts'
import { forwardingOf, openedIn, snapshotWayOut, type WayOutSource } from './snapshot.ts'

export interface WayOutOptions {
  readonly exec: Exec
  /** The instance's; other instances' ways are told apart by theirs. */
  readonly tag: string
  readonly podCIDR: string
  readonly bridge: string
}

/**
 * Lets pods reach what lies beyond this machine, with its address, and outside clients reach Services at this machine's addresses.
 * Changes of the machine itself (devices that forward) are guarded, recorded in the kernel, and taken back.
 */
export interface WayOut {
  /** Makes it, or follows what has changed since. Says what is in its way; never rejects. */
  ensure(): Promise<string | undefined>
  /** Takes everything back; nothing happens where nothing is. */
  close(): Promise<unknown>
}

export const createWayOut = ({ exec, tag, podCIDR, bridge }: WayOutOptions): WayOut => {
  const tableName = wayOutTable(tag)
  const nft = createNft(exec)
  const source: WayOutSource = { exec, sysctls: createSysctls(exec), tableName }
  // For when somebody else flushes the table, in which it is written.
  let remembered: readonly string[] = []
  return {
    async ensure() {
      try {
        const found = await snapshotWayOut(source)
        const snapshot = { ...found, opened: found.opened ?? remembered }
        const desired = desiredWayOut(snapshot, 'open')
        await switchOff(source, desired)
        // The guard stands before the device forwards.
        if (found.opened === undefined || found.opened.toSorted().join() !== desired.opened.toSorted().join())
          await nft.commit(renderWayOut({ tableName, podCIDR, bridge, opened: desired.opened }))
        remembered = desired.opened
        await source.sysctls.ensure(settings([bridge, ...desired.opened], '1'))
        return undefined
      } catch (error) {
        return `pods reach this machine and one another only: ${errorMessage(error)}`
      }
    },
    close: () => close(nft, source),
  }
}

/** Takes back the way out that an instance left; tells what it removed. Rejects where nft cannot be asked. */
export const removeWayOut = async (exec: Exec, tag: string): Promise<readonly string[]> => {
  const tableName = wayOutTable(tag)
  return close(createNft(exec), { exec, sysctls: createSysctls(exec), tableName })
}

const close = async (nft: Nft, source: WayOutSource): Promise<readonly string[]> => {
  const { tableName } = source
  const table = { family: 'ip' as const, name: tableName }
  if ((await openedIn(source.exec, tableName)) === undefined) return []
  const desired = desiredWayOut(await snapshotWayOut(source), 'closed')
  await switchOff(source, desired)
  await nft.commit({ table, commands: [{ kind: 'delete table' }] })
  return [...desired.switchOff.map((device) => `forwarding of ${device}`), `table ip ${tableName}`]
}

const switchOff = ({ sysctls }: WayOutSource, desired: DesiredWayOut): Promise<void> =>
  sysctls.ensure(settings(desired.switchOff, '0'))

const settings = (devices: readonly string[], value: string): Readonly<Record<string, string>> =>
  Object.fromEntries(devices.map((device) => [forwardingOf(device), value]))
