import { familyOf } from '../../../ip/index.ts'
import { canonical, type Forwarding, type Frontend, type NodeView, type PortForwarding } from '../../../model/index.ts'
import type { FrontendRef } from '../../backend.ts'

/** A socket that must listen. */
export interface DesiredListener {
  /** Protocol, address and port: unique on the machine. */
  readonly id: string
  readonly ref: FrontendRef
  readonly frontend: Frontend
  readonly port: PortForwarding
}

export const listenerId = (protocol: string, address: string, port: number): string => `${protocol} ${address} ${port}`

/**
 * The sockets that one Forwarding needs. A port without any endpoint gets none: only the kernel can refuse a TCP connection before it is
 * established, or answer a datagram with port unreachable, and it does so where nobody listens.
 */
export const desiredListeners = (forwarding: Forwarding, node: NodeView): readonly DesiredListener[] => {
  const { key, namespace, name, family } = forwarding
  const nodeAddresses = node.nodePortAddresses.filter((address) => familyOf(address) === family)
  const listeners = new Map<string, DesiredListener>()
  for (const port of forwarding.ports) {
    if (port.protocol === 'SCTP' || (port.cluster.length === 0 && port.local.length === 0)) continue
    for (const frontend of port.frontends) {
      const { kind, notAt = [] } = frontend
      const own = nodeAddresses.filter((address) => !notAt.includes(canonical(address)))
      for (const address of frontend.address === undefined ? own : [frontend.address]) {
        const id = listenerId(port.protocol, address, frontend.port)
        const ref = { key, namespace, name, kind, protocol: port.protocol, address, port: frontend.port }
        if (!listeners.has(id)) listeners.set(id, { id, ref, frontend, port })
      }
    }
  }
  return [...listeners.values()]
}
