import { type Exec, HostError } from '../../../host/index.ts'
import type { Sysctls } from '../../../kernel/link/index.ts'
import { OPENED, wayOutTable } from './render.ts'

/** What the way out is decided from. */
export interface WayOutSnapshot {
  /** Devices of the machine's IPv4 default routes. */
  readonly uplinks: readonly string[]
  /** Whether a device forwards what arrives on it; devices that are gone are not in it. */
  readonly forwards: ReadonlyMap<string, boolean>
  /** The machine forwards by its own will (`net.ipv4.ip_forward`). */
  readonly machineForwards: boolean
  /** Devices that this instance made forward; undefined where its table is not there. */
  readonly opened: readonly string[] | undefined
  /** Devices that other instances made forward. */
  readonly openedByOthers: readonly string[]
}

export interface WayOutSource {
  readonly exec: Exec
  readonly sysctls: Sysctls
  /** Of the instance's table. */
  readonly tableName: string
}

export const snapshotWayOut = async ({ exec, sysctls, tableName }: WayOutSource): Promise<WayOutSnapshot> => {
  const [opened, ...routes] = await Promise.all([
    openedIn(exec, tableName),
    ...DEFAULT_ROUTES.map((range) => exec(['ip', '-4', '-json', 'route', 'show', 'table', 'all', 'exact', range])),
  ])
  const uplinks = [...new Set(routes.flatMap(({ stdout }) => devicesOf(stdout)))].sort()
  const devices = [...new Set([...uplinks, ...(opened ?? [])])]
  const [all, ...each] = await sysctls.read(['all', ...devices].map(forwardingOf))
  return {
    uplinks,
    forwards: new Map(
      devices.flatMap((device, index): [string, boolean][] => (each[index] === undefined ? [] : [[device, each[index] === '1']])),
    ),
    machineForwards: all === '1',
    opened,
    // Asked last: who opens a device writes it down before it forwards, so that no device that forwards seems to do so by itself.
    openedByOthers: await openedByOthers(exec, tableName),
  }
}

const openedByOthers = async (exec: Exec, tableName: string): Promise<readonly string[]> => {
  const { stdout } = await exec(['nft', 'list', 'tables', 'ip'])
  const others = [...stdout.matchAll(OTHERS)].flatMap(([, name = '']) => (name === tableName ? [] : [name]))
  const members = await Promise.all(others.map((name) => openedIn(exec, name)))
  return members.flatMap((each) => each ?? [])
}

/** VPNs take half of the Internet each, beside the default route, or have a table of their own. */
const DEFAULT_ROUTES = ['0.0.0.0/0', '0.0.0.0/1']

/** The devices that an instance's table says it opened; undefined where there is no such table. */
export const openedIn = async (exec: Exec, tableName: string): Promise<readonly string[] | undefined> => {
  try {
    const { stdout } = await exec(['nft', '--json', 'list', 'set', 'ip', tableName, OPENED])
    return membersOf(JSON.parse(stdout))
  } catch (error) {
    if (error instanceof HostError && /No such file or directory/.test(error.stderr)) return undefined
    throw error
  }
}

/** Of the one set in nft's answer. */
const membersOf = (answer: unknown): readonly string[] =>
  listIn(answer, 'nftables')
    .flatMap((object) => listIn(fieldOf(object, 'set'), 'elem'))
    .filter((member): member is string => typeof member === 'string')

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(name) : undefined

const listIn = (value: unknown, name: string): readonly unknown[] => {
  const list = fieldOf(value, name)
  return Array.isArray(list) ? list : []
}

/** The setting of a device; `ip_forward` is that of `all`. */
export const forwardingOf = (device: string): string => `ipv4/conf/${device}/forwarding`

const OTHERS = new RegExp(`^table ip (${wayOutTable('fw[0-9a-f]{6}')})$`, 'gm')

const devicesOf = (text: string): readonly string[] => {
  const routes: unknown = JSON.parse(text.trim() || '[]')
  const hops = (Array.isArray(routes) ? routes : []).flatMap((route: unknown) => [route, ...listIn(route, 'nexthops')])
  const names = hops.map((hop) => fieldOf(hop, 'dev'))
  return names.filter((name): name is string => typeof name === 'string')
}
