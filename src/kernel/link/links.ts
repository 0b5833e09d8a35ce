import type { Exec } from '../../host/index.ts'
import { type Bridge, ensureBridge } from './bridge.ts'
import type { InstanceTag } from './instance.ts'
import { createIpTool, type IpTool } from './ip-tool.ts'
import { ensurePort, type Port, removePortCommands } from './port.ts'
import { createRoutes, type DeviceRoute, type Routes } from './routes.ts'
import { createSysctls } from './sysctl.ts'

/**
 * Bridges, veth pairs, network namespaces and routes of one instance. Every `ensure` reads what is there, changes the difference and may
 * be repeated; every `remove` succeeds when there is nothing. Calls about different names may run side by side.
 */
export interface Links {
  ensureBridge(bridge: Bridge): Promise<void>
  /** Whether br_netfilter is loaded, so that bridges can hand packets to the packet filter. */
  hasBridgeFilter(): Promise<boolean>
  /** A network namespace with its loopback up and one interface, whose other end is a port of the bridge. */
  ensurePort(port: Port): Promise<void>
  /** The namespace and its veth pair. */
  removePort(port: Pick<Port, 'name' | 'namespace'>): Promise<void>
  removeLink(name: string): Promise<void>
  /**
   * Makes every address of a range this machine's own. Sockets can bind any of them for IPv4; for IPv6 only ranges of one address (`/128`), which is
   * put on the loopback device.
   */
  ensureLocalRoute(cidr: string): Promise<void>
  removeLocalRoute(cidr: string): Promise<void>
  /** Leads a range to a device of this machine; goes with the device. */
  ensureRoute(route: DeviceRoute): Promise<void>
  /** All that carries this instance's tag, whoever made it. */
  listOwned(): Promise<OwnedLinks>
  /** Removes what `listOwned` gave, or the part of it that `which` picks; returns what it removed. */
  removeOwned(which?: (owned: OwnedLinks) => OwnedLinks): Promise<OwnedLinks>
}

export interface OwnedLinks {
  readonly links: readonly string[]
  readonly namespaces: readonly string[]
  readonly localRoutes: readonly string[]
  /** Those to devices. */
  readonly routes: readonly string[]
}

/** IFNAMSIZ without its terminating zero. */
const MAX_LINK_NAME = 15

/** {@link Links} in this machine's kernel; needs CAP_NET_ADMIN and CAP_SYS_ADMIN. */
export const createLinks = (exec: Exec, tag: InstanceTag): Links => {
  const ip = createIpTool(exec)
  const sysctls = createSysctls(exec)
  const routes = createRoutes(exec, ip, tag)
  return {
    async ensureBridge(bridge) {
      checkName(bridge.name, tag)
      await ensureBridge(ip, sysctls, { bridge, tag })
    },
    async hasBridgeFilter() {
      const [value] = await sysctls.read(['bridge/bridge-nf-call-iptables'])
      return value !== undefined
    },
    async ensurePort(port) {
      checkName(port.name, tag)
      if (!port.namespace.startsWith(tag)) throw new Error(`network namespace ${port.namespace} does not start with ${tag}`)
      await ensurePort(ip, port)
    },
    removePort: (port) => ip.batch(removePortCommands(port), { keepGoing: true }),
    removeLink: (name) => ip.batch([['link', 'del', name]], { keepGoing: true }),
    ensureLocalRoute: routes.ensureLocal,
    removeLocalRoute: routes.removeLocal,
    ensureRoute: routes.ensureVia,
    listOwned: () => listOwned(ip, routes, tag),
    async removeOwned(which = (all) => all) {
      const owned = which(await listOwned(ip, routes, tag))
      const links = owned.links.map((name) => ['link', 'del', name])
      const namespaces = owned.namespaces.map((name) => ['netns', 'del', name])
      await ip.batch([...links, ...namespaces], { keepGoing: true })
      for (const cidr of owned.localRoutes) await routes.removeLocal(cidr)
      for (const cidr of owned.routes) await routes.removeVia(cidr)
      return owned
    },
  }
}

const checkName = (name: string, tag: InstanceTag): void => {
  if (!name.startsWith(tag)) throw new Error(`link ${name} does not start with ${tag}`)
  if (name.length > MAX_LINK_NAME) throw new Error(`link ${name} is longer than ${MAX_LINK_NAME} characters`)
}

const listOwned = async (ip: IpTool, routes: Routes, tag: InstanceTag): Promise<OwnedLinks> => {
  const [links, namespaces, localRoutes, ofDevices] = await Promise.all([
    ip.show(['link', 'show']),
    ip.show(['netns', 'list']),
    routes.list('local'),
    routes.list('main'),
  ])
  const owned = (objects: readonly Record<string, unknown>[], key: string): readonly string[] =>
    objects.map((object) => String(object[key] ?? '')).filter((name) => name.startsWith(tag))
  return { links: owned(links, 'ifname'), namespaces: owned(namespaces, 'name'), localRoutes, routes: ofDevices }
}
