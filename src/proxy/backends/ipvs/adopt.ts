import { cidrContains, readAddress, readCIDR } from '../../../ip/index.ts'
import type { ReadSet } from '../../../kernel/ipset/index.ts'
import { type ReadDevice, type ReadServer, type ServerAddress, serverText } from '../../../kernel/ipvs/index.ts'
import { familyOfAddress, type Item } from './items.ts'
import { type SetKey, setName } from './sets.ts'

/** What the kernel holds, as far as this mode reads it. */
export interface Found {
  readonly sets: readonly ReadSet[]
  readonly servers: readonly ReadServer[]
  readonly device: ReadDevice | undefined
}

/** What of it is ours, or wanted at least: virtual servers of other programs are none of our business. */
export const itemsFound = (
  found: Found,
  { isWanted, excludeCIDRs }: { readonly isWanted: (id: string) => boolean; readonly excludeCIDRs: readonly string[] },
): readonly Item[] => {
  const isOurs = ownership(found, excludeCIDRs)
  return [
    ...found.sets.flatMap(({ name, entries }) =>
      entries.map((entry): Item => ({ kind: 'member', member: { set: name, entry } })),
    ),
    ...(found.device?.addresses ?? []).map((address): Item => ({ kind: 'address', address })),
    ...found.servers
      .filter((server) => isOurs(server) || isWanted(`server ${serverText(server)}`))
      .flatMap(({ reals, ...server }): Item[] => [
        { kind: 'server', server },
        ...reals.map((real): Item => ({ kind: 'real', server, real })),
      ]),
  ]
}

/** The virtual servers that this mode made, also those of a process that was killed. */
export const ownServers = (found: Found, excludeCIDRs: readonly string[]): readonly ServerAddress[] =>
  found.servers.filter(ownership(found, excludeCIDRs))

const FRONTENDS: readonly SetKey[] = ['CLUSTER-IP', 'LOAD-BALANCER', 'EXTERNAL-IP', 'EXTERNAL-IP-LOCAL']

/** Sets are filled before virtual servers are made and emptied after they are gone, so they tell whose those are. */
const ownership = ({ sets, device }: Found, excludeCIDRs: readonly string[]): ((server: ServerAddress) => boolean) => {
  const members = new Map(sets.map(({ name, entries }) => [name, new Set(entries)]))
  const addresses = new Set(device?.addresses)
  return (server) => {
    const { address, protocol, port } = server
    const has = (key: SetKey, entry: string): boolean => members.get(setName(familyOfAddress(address), key))?.has(entry) === true
    if (isIn(excludeCIDRs, address)) return false
    if (addresses.has(address)) return true
    const entry = `${address},${protocol}:${port}`
    if (FRONTENDS.some((key) => has(key, entry))) return true
    if (protocol === 'sctp') return has('NODE-PORT-SCTP-HASH', entry)
    const isNodePort = has(protocol === 'tcp' ? 'NODE-PORT-TCP' : 'NODE-PORT-UDP', String(port))
    return isNodePort && has('NODE-PORT-ADDRESSES', address)
  }
}

const isIn = (ranges: readonly string[], text: string): boolean => {
  const address = readAddress(text)?.address
  return (
    address !== undefined &&
    ranges.some((range) => {
      const cidr = readCIDR(range)?.cidr
      return cidr !== undefined && cidrContains(cidr, address)
    })
  )
}
