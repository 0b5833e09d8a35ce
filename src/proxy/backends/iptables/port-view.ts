import type { IPProtocol, Rule } from '../../../kernel/iptables/index.ts'
import type { Forwarding, Frontend, PortForwarding, Route, SourceClass, Target } from '../../../model/index.ts'
import type { ChainLayout, LayoutOptions, ListItem } from './layout.ts'
import { endpointChain, type PortChains, portChains, portName, targetText } from './names.ts'

export interface RenderContext extends LayoutOptions {
  /** Left out in large clusters, as kube-proxy does: in the legacy flavour a comment is 256 bytes of every copy of the table. */
  readonly hasComments: boolean
}

/** What a Service needs in the kernel. */
export interface Rendered {
  readonly chains: readonly ChainLayout[]
  readonly items: readonly ListItem[]
}

/** A Service port with what its rules say again and again. */
export interface PortView {
  readonly port: PortForwarding
  readonly name: string
  readonly protocol: IPProtocol
  readonly chains: PortChains
  /** The chain of an endpoint: hashed once. */
  readonly chainOf: (target: Target) => string
  readonly context: RenderContext
}

export const portView = (forwarding: Forwarding, port: PortForwarding, context: RenderContext): PortView => {
  const name = portName(forwarding, port)
  const protocol = ({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const)[port.protocol]
  const known = new Map<string, string>()
  const chainOf = (target: Target): string => {
    const text = targetText(target)
    const chain = known.get(text) ?? endpointChain(name, protocol, text)
    known.set(text, chain)
    return chain
  }
  return { port, name, protocol, chains: portChains(name, protocol), chainOf, context }
}

export const CLASSES: readonly SourceClass[] = ['pod', 'node', 'outside']

/** Whether a route leads to any endpoint. */
export const isCarried = ({ port }: PortView, route: Route): boolean => port[route.set].length > 0

export const commented = ({ context }: PortView, comment: string): { readonly comment?: string } =>
  context.hasComments ? { comment } : {}

/** What a rule asks of packets to a frontend. */
export const at = ({ protocol }: PortView, { address, port }: Frontend): Rule => ({
  ...(address === undefined ? {} : { destination: { cidr: address } }),
  protocol,
  destinationPort: port,
})
