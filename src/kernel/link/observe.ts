import type { IpTool } from './ip-tool.ts'

/** What the kernel says of one interface. */
export interface ObservedLink {
  readonly kind: string | undefined
  readonly master: string | undefined
  readonly isUp: boolean
  /** Of a bridge: hands what it forwards to the packet filter, also where the machine's other bridges don't. */
  readonly callsPacketFilter: boolean
  /** Of a bridge's port. */
  readonly isIsolated: boolean
  readonly isHairpin: boolean
  /** In the form `10.0.0.5/24`; link-local ones are left out. */
  readonly addresses: readonly string[]
}

/** An interface with its addresses; undefined when it, or the namespace, does not exist. */
export const readLink = async (ip: IpTool, name: string, namespace?: string): Promise<ObservedLink | undefined> => {
  const [link] = await ip.show(['-details', 'addr', 'show', 'dev', name], namespace)
  if (link === undefined) return undefined
  const flags = Array.isArray(link['flags']) ? link['flags'] : []
  const info = record(link['linkinfo'])
  const ofPort = record(info['info_slave_data'])
  return {
    kind: textOf(info['info_kind']),
    master: textOf(link['master']),
    isUp: flags.includes('UP'),
    callsPacketFilter: record(info['info_data'])['nf_call_iptables'] === 1,
    isIsolated: ofPort['isolated'] === true,
    isHairpin: ofPort['hairpin'] === true,
    addresses: list(link['addr_info'])
      .filter(isGlobal)
      .map((entry) => `${entry['local']}/${entry['prefixlen']}`),
  }
}

/** The next hops of the default routes in a namespace. */
export const readGateways = async (ip: IpTool, namespace: string): Promise<readonly string[]> => {
  const [v4, v6] = await Promise.all([
    ip.show(['-4', 'route', 'show', 'default'], namespace),
    ip.show(['-6', 'route', 'show', 'default'], namespace),
  ])
  return [...v4, ...v6].flatMap((route) => textOf(route['gateway']) ?? [])
}

export const namespaceExists = async (ip: IpTool, name: string): Promise<boolean> =>
  (await ip.show(['netns', 'list'])).some((namespace) => namespace['name'] === name)

const isGlobal = (entry: Record<string, unknown>): boolean => entry['scope'] !== 'link'

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const record = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {})

const list = (value: unknown): readonly Record<string, unknown>[] => (Array.isArray(value) ? value.filter(isRecord) : [])
