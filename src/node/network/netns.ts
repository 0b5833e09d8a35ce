import { errorMessage } from '../../base/index.ts'
import type { Exec } from '../../host/index.ts'
import type { InstanceTag } from '../../kernel/link/index.ts'
import { AddressPool } from './address-pool.ts'
import { filterNote, forwardFilters } from './firewall.ts'
import { createPodBridge, type PodPort } from './pod-bridge.ts'
import type { PodNetwork } from './pod-network.ts'
import { createWayOut } from './way-out/index.ts'

export interface NetnsNetworkOptions {
  readonly exec: Exec
  /** Begins every name that is made in the kernel. */
  readonly tag: InstanceTag
  readonly podCIDR: string
  /** An address in the pod CIDR: the bridge's, which is every pod's default route. */
  readonly nodeAddress: string
  /**
   * Ranges of Services that the kernel carries: they lead to the bridge, and what pods send one another passes the packet filter. Left out where
   * a proxy with sockets makes the ranges local.
   */
  readonly kernelServiceCIDRs?: readonly string[]
}

/** Each pod has a network namespace with a veth pair into the instance's bridge. Needs root. */
export const createNetnsNetwork = (options: NetnsNetworkOptions): PodNetwork => {
  const { exec, tag, podCIDR, nodeAddress, kernelServiceCIDRs = [] } = options
  const pool = new AddressPool(podCIDR, [nodeAddress])
  const bridge = createPodBridge({ exec, tag, address: `${nodeAddress}/${pool.prefix}`, kernelServiceCIDRs })
  const wayOut = createWayOut({ exec, tag, podCIDR, bridge: bridge.name })
  const addresses = new Map<string, string>()
  let isPrepared = false
  const portOf = (address: string): PodPort => ({
    name: `${tag}-${pool.indexOf(address).toString(36)}`,
    address: `${address}/${pool.prefix}`,
  })
  return {
    kind: 'netns',
    podCIDR,
    nodeAddress,
    async prepare() {
      if (isPrepared) return
      await bridge.prepare()
      isPrepared = true
    },
    async attach({ uid, hostNetwork, preferredAddress }) {
      if (hostNetwork) return { address: nodeAddress }
      const address = addresses.get(uid) ?? pool.take(preferredAddress)
      if (address === undefined) throw new Error(`no free address in pod CIDR ${podCIDR}`)
      addresses.set(uid, address)
      const port = portOf(address)
      await bridge.ensurePort(port)
      return { address, namespacePath: `/run/netns/${port.name}` }
    },
    async detach(uid) {
      const address = addresses.get(uid)
      if (address === undefined) return
      await bridge.removePort(portOf(address).name)
      addresses.delete(uid)
      pool.release(address)
    },
    async check() {
      const problems = await Promise.all([
        bridge.check([...addresses.values()].map(portOf)).catch((error: unknown) => {
          return `pods may not reach one another through Services: ${errorMessage(error)}`
        }),
        wayOut.ensure(),
      ])
      const filters = await forwardFilters(exec)
      return [...problems, ...filters.map((filter) => filterNote(filter, bridge.name))].filter((note) => note !== undefined)
    },
    async close() {
      isPrepared = false
      await wayOut.close().catch(() => {})
      await bridge.close()
      for (const address of addresses.values()) pool.release(address)
      addresses.clear()
    },
  }
}
