import type { Exec } from '../../host/index.ts'
import { type BetweenPorts, createLinks, type InstanceTag, type OwnedLinks } from '../../kernel/link/index.ts'

export interface PodBridgeOptions {
  readonly exec: Exec
  readonly tag: InstanceTag
  /** Of the bridge, in the form `10.244.0.1/24`: the node's, as pods see it. */
  readonly address: string
  /** Led to the bridge, whose ports then reach one another past the packet filter; none where sockets carry Services. */
  readonly kernelServiceCIDRs: readonly string[]
}

/** A pod's place on the bridge. */
export interface PodPort {
  /** Of the link and of the network namespace; starts with the tag and a dash. */
  readonly name: string
  /** With its prefix length. */
  readonly address: string
}

/** The bridge of an instance's pods. */
export interface PodBridge {
  readonly name: string
  /** Removes what an earlier run left, but for the bridge itself, its routes, and the connections that live through them. */
  prepare(): Promise<void>
  ensurePort(port: PodPort): Promise<void>
  removePort(name: string): Promise<void>
  /** Follows br_netfilter, which may be loaded at any time, by Docker for one. */
  check(ports: Iterable<PodPort>): Promise<void>
  close(): Promise<void>
}

export const createPodBridge = (options: PodBridgeOptions): PodBridge => {
  const { exec, tag, address, kernelServiceCIDRs } = options
  const links = createLinks(exec, tag)
  const name = `${tag}-br`
  const isInKernel = kernelServiceCIDRs.length > 0
  const [nodeAddress = ''] = address.split('/')
  let between: BetweenPorts = 'bridged'
  const ensureBridge = (): Promise<void> => links.ensureBridge({ name, addresses: [address], forwards: isInKernel, between })
  const ensurePort = (port: PodPort): Promise<void> =>
    links.ensurePort({
      name: port.name,
      namespace: port.name,
      bridge: name,
      addresses: [port.address],
      gateways: [nodeAddress],
      isolated: between === 'routed',
    })
  const wantedBetween = async (): Promise<BetweenPorts> => {
    if (!isInKernel) return 'bridged'
    return (await links.hasBridgeFilter()) ? 'filtered' : 'routed'
  }
  return {
    name,
    async prepare() {
      between = await wantedBetween()
      await links.removeOwned((owned) => without(ofPods(owned, tag), { links: [name], routes: kernelServiceCIDRs }))
      await ensureBridge()
      for (const cidr of kernelServiceCIDRs) await links.ensureRoute({ cidr, device: name, source: nodeAddress })
    },
    ensurePort,
    removePort: (port) => links.removePort({ name: port, namespace: port }),
    async check(ports) {
      const wanted = await wantedBetween()
      if (wanted === between) return
      between = wanted
      await ensureBridge()
      for (const port of ports) await ensurePort(port)
    },
    close: async () => void (await links.removeOwned((owned) => ofPods(owned, tag))),
  }
}

/** Other parts of the instance own links and local routes too; a pod network's names go on with a dash. */
const ofPods = (owned: OwnedLinks, tag: InstanceTag): OwnedLinks => ({
  links: owned.links.filter((name) => name.startsWith(`${tag}-`)),
  namespaces: owned.namespaces.filter((name) => name.startsWith(`${tag}-`)),
  localRoutes: [],
  routes: owned.routes,
})

const without = (owned: OwnedLinks, kept: Pick<OwnedLinks, 'links' | 'routes'>): OwnedLinks => ({
  ...owned,
  links: owned.links.filter((name) => !kept.links.includes(name)),
  routes: owned.routes.filter((cidr) => !kept.routes.includes(cidr)),
})
