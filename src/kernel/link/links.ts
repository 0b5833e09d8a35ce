import type { Exec } from '../../host/index.ts'
import { bridgeMAC, type InstanceTag, routeMetric } from './instance.ts'
import { createIpTool, type IpCommand, type IpTool } from './ip-tool.ts'
import { namespaceExists, type ObservedLink, readGateways, readLink } from './observe.ts'

/**
 * Bridges, veth pairs, network namespaces and local routes of one instance. Every `ensure` reads what is there, changes the difference and may
 * be repeated; every `remove` succeeds when there is nothing. Calls about different names may run side by side.
 */
export interface Links {
  ensureBridge(bridge: Bridge): Promise<void>
  /** A network namespace with its loopback up and one interface, whose other end is a port of the bridge. */
  ensurePort(port: Port): Promise<void>
  /** The namespace and its veth pair. */
  removePort(port: Pick<Port, 'name' | 'namespace'>): Promise<void>
  removeLink(name: string): Promise<void>
  /**
   * Makes every address of a range this machine's own. Sockets can bind any of them for IPv4; for IPv6 the kernel wants
   * `net.ipv6.ip_nonlocal_bind` besides, which is left to the caller.
   */
  ensureLocalRoute(cidr: string): Promise<void>
  removeLocalRoute(cidr: string): Promise<void>
  /** All that carries this instance's tag, whoever made it. */
  listOwned(): Promise<OwnedLinks>
  /** Removes what `listOwned` gave, or the part of it that `which` picks; returns what it removed. */
  removeOwned(which?: (owned: OwnedLinks) => OwnedLinks): Promise<OwnedLinks>
}

export interface Bridge {
  /** Starts with the instance's tag. */
  readonly name: string
  /** In the form `10.0.0.1/24`. */
  readonly addresses: readonly string[]
}

export interface Port {
  /** The veth's end on the host; starts with the instance's tag. */
  readonly name: string
  readonly namespace: string
  readonly bridge: string
  /** Of the end inside, in the form `10.0.0.5/24`. */
  readonly addresses: readonly string[]
  /** Default routes inside, one for each family. */
  readonly gateways: readonly string[]
}

export interface OwnedLinks {
  readonly links: readonly string[]
  readonly namespaces: readonly string[]
  readonly localRoutes: readonly string[]
}

/** The interface's name inside a namespace. */
const INSIDE = 'eth0'
/** rtnetlink's routing protocol numbers above 4 are free for administrators' programs. */
const ROUTE_PROTOCOL = '155'
/** IFNAMSIZ without its terminating zero. */
const MAX_LINK_NAME = 15

/** {@link Links} in this machine's kernel; needs CAP_NET_ADMIN and CAP_SYS_ADMIN. */
export const createLinks = (exec: Exec, tag: InstanceTag): Links => {
  const ip = createIpTool(exec)
  const route = (verb: 'replace' | 'del', cidr: string): readonly [string, ...string[]] => {
    const mark = ['proto', ROUTE_PROTOCOL, 'metric', String(routeMetric(tag))]
    return ['ip', familyFlag(cidr), 'route', verb, 'local', cidr, 'dev', 'lo', ...mark]
  }
  const removeLocalRoute = async (cidr: string): Promise<void> => {
    await exec(route('del', cidr), { okCodes: [0, NO_SUCH_ROUTE] })
  }
  return {
    async ensureBridge(bridge) {
      checkName(bridge.name, tag)
      await ip.batch(bridgeCommands(bridge, await readLink(ip, bridge.name), tag))
    },
    async ensurePort(port) {
      checkName(port.name, tag)
      if (!port.namespace.startsWith(tag)) throw new Error(`network namespace ${port.namespace} does not start with ${tag}`)
      const found = await isPortRight(ip, port)
      if (found === 'right') return
      if (found === 'wrong') await ip.batch(removePortCommands(port), { keepGoing: true })
      await createPort(ip, port)
    },
    removePort: (port) => ip.batch(removePortCommands(port), { keepGoing: true }),
    removeLink: (name) => ip.batch([['link', 'del', name]], { keepGoing: true }),
    async ensureLocalRoute(cidr) {
      await exec(route('replace', cidr))
    },
    removeLocalRoute,
    listOwned: () => listOwned(ip, tag),
    async removeOwned(which = (all) => all) {
      const owned = which(await listOwned(ip, tag))
      const links = owned.links.map((name) => ['link', 'del', name])
      const namespaces = owned.namespaces.map((name) => ['netns', 'del', name])
      await ip.batch([...links, ...namespaces], { keepGoing: true })
      for (const cidr of owned.localRoutes) await removeLocalRoute(cidr)
      return owned
    },
  }
}

/** What `ip route del` answers for a route that isn't there. */
const NO_SUCH_ROUTE = 2

const familyFlag = (cidr: string): '-4' | '-6' => (cidr.includes(':') ? '-6' : '-4')

const checkName = (name: string, tag: InstanceTag): void => {
  if (!name.startsWith(tag)) throw new Error(`link ${name} does not start with ${tag}`)
  if (name.length > MAX_LINK_NAME) throw new Error(`link ${name} is longer than ${MAX_LINK_NAME} characters`)
}

/** Pure: from what is there to what shall be. */
const bridgeCommands = (bridge: Bridge, actual: ObservedLink | undefined, tag: InstanceTag): readonly IpCommand[] => {
  const { name } = bridge
  const wrong = actual !== undefined && actual.kind !== 'bridge'
  const present = actual !== undefined && !wrong
  const addresses = present ? actual.addresses : []
  return [
    ...(wrong ? [['link', 'del', name]] : []),
    ...(present ? [] : [['link', 'add', name, 'address', bridgeMAC(tag), 'type', 'bridge']]),
    ...addresses.filter((address) => !bridge.addresses.includes(address)).map((address) => ['addr', 'del', address, 'dev', name]),
    // nodad: an address that waits for duplicate detection can't be bound yet.
    ...bridge.addresses
      .filter((address) => !addresses.includes(address))
      .map((address) => ['addr', 'add', address, 'dev', name, ...noDad(address)]),
    ...(present && actual.isUp ? [] : [['link', 'set', name, 'up']]),
  ]
}

const noDad = (address: string): readonly string[] => (address.includes(':') ? ['nodad'] : [])

const isPortRight = async (ip: IpTool, port: Port): Promise<'right' | 'wrong' | 'missing'> => {
  const [outside, inside] = await Promise.all([readLink(ip, port.name), readLink(ip, INSIDE, port.namespace)])
  if (outside === undefined && inside === undefined) return (await namespaceExists(ip, port.namespace)) ? 'wrong' : 'missing'
  if (outside?.master !== port.bridge || !outside.isUp || !inside?.isUp) return 'wrong'
  if (!port.addresses.every((address) => inside.addresses.includes(address))) return 'wrong'
  const gateways = await readGateways(ip, port.namespace)
  return port.gateways.every((gateway) => gateways.includes(gateway)) ? 'right' : 'wrong'
}

const removePortCommands = (port: Pick<Port, 'name' | 'namespace'>): readonly IpCommand[] => [
  // The pair goes first: a namespace lives on as long as a process is in it.
  ['link', 'del', port.name],
  ['netns', 'del', port.namespace],
]

const createPort = async (ip: IpTool, port: Port): Promise<void> => {
  const { name, namespace, bridge } = port
  await ip.batch([
    ['netns', 'add', namespace],
    ['link', 'add', name, 'type', 'veth', 'peer', 'name', INSIDE, 'netns', namespace],
    ['link', 'set', name, 'master', bridge, 'up'],
    // A pod that reaches itself through a Service leaves and enters by the same port.
    ['link', 'set', name, 'type', 'bridge_slave', 'hairpin', 'on'],
  ])
  const inside: IpCommand[] = [
    ['link', 'set', 'lo', 'up'],
    ...port.addresses.map((address) => ['addr', 'add', address, 'dev', INSIDE, ...noDad(address)]),
    ['link', 'set', INSIDE, 'up'],
    ...port.gateways.map((gateway) => ['route', 'add', 'default', 'via', gateway, 'dev', INSIDE]),
  ]
  await ip.batch(inside, { namespace })
}

const listOwned = async (ip: IpTool, tag: InstanceTag): Promise<OwnedLinks> => {
  const route = ['route', 'show', 'table', 'local', 'proto', ROUTE_PROTOCOL]
  const [links, namespaces, ...routes] = await Promise.all([
    ip.show(['link', 'show']),
    ip.show(['netns', 'list']),
    ip.show(['-4', ...route]),
    ip.show(['-6', ...route]),
  ])
  const owned = (objects: readonly Record<string, unknown>[], key: string): readonly string[] =>
    objects.map((object) => String(object[key] ?? '')).filter((name) => name.startsWith(tag))
  return {
    links: owned(links, 'ifname'),
    namespaces: owned(namespaces, 'name'),
    localRoutes: routes
      .flat()
      .filter((entry) => entry['metric'] === routeMetric(tag))
      .map((entry) => String(entry['dst'])),
  }
}
