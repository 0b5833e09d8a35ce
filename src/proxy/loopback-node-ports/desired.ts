import { isLoopback, readAddress } from '../../ip/index.ts'
import type { Forwarding, NodeView, PortForwarding } from '../../model/index.ts'
import type { Change } from '../backend.ts'

/** A change, told to the kernel's backend and to the sockets on loopback. */
export interface SplitChange {
  readonly kernel: Change
  readonly sockets: Change
}

/** Loopback addresses are the sockets', and of a Service only its NodePorts; everything else is the kernel's. */
export const splitChange = (change: Change): SplitChange => {
  const { full, set, node } = change
  const onLoopback = set.map(nodePortsOf)
  const withoutNodePorts = onLoopback.filter(({ ports }) => ports.length === 0).map(({ key }) => key)
  return {
    kernel: { ...change, node: withAddresses(node, (address) => !isLoopbackAddress(address)) },
    sockets: {
      full,
      set: onLoopback.filter(({ ports }) => ports.length > 0),
      delete: full ? [] : [...change.delete, ...withoutNodePorts],
      node: withAddresses(node, isLoopbackAddress),
    },
  }
}

export const isLoopbackAddress = (text: string): boolean => {
  const address = readAddress(text)?.address
  return address !== undefined && isLoopback(address)
}

const nodePortsOf = (forwarding: Forwarding): Forwarding => ({
  ...forwarding,
  ports: forwarding.ports.flatMap((port): readonly PortForwarding[] => {
    const frontends = port.frontends.filter(({ kind }) => kind === 'NodePort')
    return frontends.length === 0 ? [] : [{ ...port, frontends }]
  }),
})

const withAddresses = (node: NodeView, isWanted: (address: string) => boolean): NodeView => ({
  ...node,
  nodePortAddresses: node.nodePortAddresses.filter(isWanted),
})
