import { AddressPool } from './address-pool.ts'
import type { PodNetwork } from './pod-network.ts'

export interface LoopbackNetworkOptions {
  /** Inside 127.0.0.0/8, all of which Linux lets everybody bind. */
  readonly podCIDR: string
  readonly nodeAddress: string
}

/** Pods share the machine's network; each has an address of its own to bind, which it learns from `POD_IP`. Needs no rights. */
export const createLoopbackNetwork = (options: LoopbackNetworkOptions): PodNetwork => {
  const { podCIDR, nodeAddress } = options
  const pool = new AddressPool(podCIDR, [nodeAddress])
  const addresses = new Map<string, string>()
  return {
    kind: 'loopback',
    podCIDR,
    nodeAddress,
    prepare: async () => {},
    async attach({ uid, hostNetwork, preferredAddress }) {
      if (hostNetwork) return { address: nodeAddress }
      const address = addresses.get(uid) ?? pool.take(preferredAddress)
      if (address === undefined) throw new Error(`no free address in pod CIDR ${podCIDR}`)
      addresses.set(uid, address)
      return { address }
    },
    async detach(uid) {
      const address = addresses.get(uid)
      if (address !== undefined) pool.release(address)
      addresses.delete(uid)
    },
    check: async () => [],
    async close() {
      for (const address of addresses.values()) pool.release(address)
      addresses.clear()
    },
  }
}
