import type { Exec } from '../../host/index.ts'
import { createLinks, type InstanceTag, type OwnedLinks } from '../../kernel/link/index.ts'
import { AddressPool } from './address-pool.ts'
import type { PodNetwork } from './pod-network.ts'

export interface NetnsNetworkOptions {
  readonly exec: Exec
  /** Begins every name that is made in the kernel. */
  readonly tag: InstanceTag
  readonly podCIDR: string
  /** An address in the pod CIDR: the bridge's, which is every pod's default route. */
  readonly nodeAddress: string
}

/** Each pod has a network namespace with a veth pair into the instance's bridge. Needs root. */
export const createNetnsNetwork = (options: NetnsNetworkOptions): PodNetwork => {
  const { tag, podCIDR, nodeAddress } = options
  const links = createLinks(options.exec, tag)
  const pool = new AddressPool(podCIDR, [nodeAddress])
  const bridge = `${tag}-br`
  const addresses = new Map<string, string>()
  let isPrepared = false
  // Other parts of the instance own links and local routes too; a pod network's names go on with a dash.
  const ofPods = (owned: OwnedLinks): OwnedLinks => ({
    links: owned.links.filter((name) => name.startsWith(`${tag}-`)),
    namespaces: owned.namespaces.filter((name) => name.startsWith(`${tag}-`)),
    localRoutes: [],
  })
  const names = (address: string): { readonly name: string; readonly namespace: string } => {
    const name = `${tag}-${pool.indexOf(address).toString(36)}`
    return { name, namespace: name }
  }
  return {
    kind: 'netns',
    podCIDR,
    nodeAddress,
    async prepare() {
      if (isPrepared) return
      await links.removeOwned(ofPods)
      await links.ensureBridge({ name: bridge, addresses: [`${nodeAddress}/${pool.prefix}`] })
      isPrepared = true
    },
    async attach({ uid, hostNetwork, preferredAddress }) {
      if (hostNetwork) return { address: nodeAddress }
      const known = addresses.get(uid)
      const address = known ?? pool.take(preferredAddress)
      if (address === undefined) throw new Error(`no free address in pod CIDR ${podCIDR}`)
      addresses.set(uid, address)
      const { name, namespace } = names(address)
      await links.ensurePort({ name, namespace, bridge, addresses: [`${address}/${pool.prefix}`], gateways: [nodeAddress] })
      return { address, namespacePath: `/run/netns/${namespace}` }
    },
    async detach(uid) {
      const address = addresses.get(uid)
      if (address === undefined) return
      await links.removePort(names(address))
      addresses.delete(uid)
      pool.release(address)
    },
    async close() {
      isPrepared = false
      await links.removeOwned(ofPods)
      for (const address of addresses.values()) pool.release(address)
      addresses.clear()
    },
  }
}
