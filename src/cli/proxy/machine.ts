import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import type { Node } from '../../api/index.ts'
import type { Clock } from '../../base/index.ts'
import { type Exec, findOnPath } from '../../host/index.ts'
import { cidrOf, familyOf, formatCIDR, isLinkLocal, isLoopback, parseAddress } from '../../ip/index.ts'
import { instanceTag } from '../../kernel/link/index.ts'
import {
  createLocalAddresses,
  type LocalAddresses,
  type MachineSource,
  type NodePortRange,
  nodePortAddresses,
  type PodDetection,
} from '../../proxy/index.ts'

/** One address of an interface. */
export interface InterfaceAddress {
  readonly interface: string
  readonly address: string
  readonly prefix: number
}

/** What this machine's interfaces have now; addresses that mean something only on one link are left out. */
const readInterfaces = (): readonly InterfaceAddress[] =>
  Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ address, cidr }) => {
      const parsed = parseAddress(address)
      if (parsed === undefined || (parsed.family === 'IPv6' && isLinkLocal(parsed))) return []
      return [{ interface: name, address, prefix: Number(cidr?.split('/')[1]) }]
    }),
  )

export interface MachineOptions {
  readonly nodePortRanges: readonly NodePortRange[]
  readonly pods: PodDetection
  readonly bindAddress?: string
  readonly clock: Clock
  readonly interfaces?: () => readonly InterfaceAddress[]
}

/** Interfaces do not tell of changes to Node.js: looked at as often as kube-proxy synchronises. */
const LOOK_EVERY_MS = 30_000

/** This node as far as its machine decides it: where NodePorts are served, which addresses are its own, which ranges its pods have. */
export const createMachine = (options: MachineOptions): MachineSource => {
  const { nodePortRanges, pods, bindAddress, clock, interfaces = readInterfaces } = options
  const look = (): readonly InterfaceAddress[] => interfaces()
  return {
    current(node) {
      const found = look()
      const machine = found.map(({ address }) => address)
      const own = [...(bindAddress === undefined ? [] : [bindAddress]), ...machine.filter((address) => !isOnLoopback(address))]
      const podCIDRs = podRanges(pods, found)
      return {
        nodePortAddresses: nodePortAddresses(nodePortRanges, { machine, primary: primaryAddresses(node, own) }),
        nodeAddresses: own,
        ...(podCIDRs === undefined ? {} : { podCIDRs }),
      }
    },
    onChange(handler) {
      let seen = JSON.stringify(look())
      const check = (): void => {
        timer = clock.setTimer(check, LOOK_EVERY_MS)
        const now = JSON.stringify(look())
        if (now === seen) return
        seen = now
        handler()
      }
      let timer = clock.setTimer(check, LOOK_EVERY_MS)
      return () => timer.cancel()
    },
  }
}

const isOnLoopback = (text: string): boolean => {
  const address = parseAddress(text)
  return address !== undefined && isLoopback(address)
}

/** Undefined: those of the Node object. */
const podRanges = (pods: PodDetection, found: readonly InterfaceAddress[]): readonly string[] | undefined => {
  switch (pods.kind) {
    case 'ranges':
      return pods.cidrs
    case 'node':
      return undefined
    case 'bridge':
      return found.filter((each) => each.interface === pods.name).flatMap(rangeOf)
    case 'interfaces': {
      const ranges = found.filter((each) => each.interface.startsWith(pods.prefix)).flatMap(rangeOf)
      return ranges.length === 0 ? undefined : [...new Set(ranges)]
    }
    default:
      return pods satisfies never
  }
}

const rangeOf = ({ address, prefix }: InterfaceAddress): readonly string[] => {
  const parsed = parseAddress(address)
  return parsed === undefined || Number.isNaN(prefix) ? [] : [formatCIDR(cidrOf(parsed, prefix))]
}

/** The first InternalIP of each family, else the first ExternalIP, as kube-proxy; without a Node the first of the machine's own. */
export const primaryAddresses = (node: Node | undefined, own: readonly string[]): readonly string[] => {
  const reported = (type: string): readonly string[] =>
    (node?.status?.addresses ?? []).filter((each) => each.type === type).map(({ address }) => address)
  const candidates = [...reported('InternalIP'), ...reported('ExternalIP')]
  const from = candidates.length > 0 ? candidates : own
  const first = (family: 'IPv4' | 'IPv6'): readonly string[] => from.filter((address) => familyOf(address) === family).slice(0, 1)
  return [...first('IPv4'), ...first('IPv6')]
}

const CAP_NET_ADMIN = 12

/** Local routes for the userspace mode; undefined where this process may not make them. */
export const localAddressesOf = async (exec: Exec, tableName: string): Promise<LocalAddresses | undefined> => {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  if (((mask >> BigInt(CAP_NET_ADMIN)) & 1n) === 0n || findOnPath('ip') === undefined) return undefined
  return createLocalAddresses(exec, instanceTag(`/proxy/${tableName}`))
}
