import { cidrContains, parseCIDR, readAddress } from '../../../ip/index.ts'
import { canonical, isAllowed, type Packet, type Target } from '../../../model/index.ts'
import { type PortState, upcoming } from './choose.ts'
import { listenerId } from './desired-listeners.ts'
import type { Listener } from './listener.ts'
import type { Userspace } from './state.ts'

/** What a packet meets, in the words of `ip route` and `ss`, and which endpoint is next in turn. */
export const trace = (state: Userspace, packet: Packet): readonly string[] => {
  const destination = { address: canonical(packet.destination.address), port: packet.destination.port }
  const id = listenerId(packet.protocol, destination.address, destination.port)
  const listener = state.listeners.get(id)
  if (listener === undefined) return withoutSocket(state, packet, destination)
  return [...routeLines(state, destination.address), socketLine(listener), ...choiceLines(listener, packet)]
}

const withoutSocket = (state: Userspace, { protocol }: Packet, { address, port }: Target): readonly string[] => {
  const concerned = [...state.services.values()].some(
    ({ forwarding }) =>
      forwarding.clusterIP === address ||
      forwarding.ports.some(
        ({ protocol: ours, frontends }) =>
          ours === protocol && frontends.some((frontend) => frontend.address === address && frontend.port === port),
      ),
  )
  return concerned
    ? [
        ...routeLines(state, address),
        `no socket for ${protocol} ${address}:${port}: the kernel refuses, or gives it to whoever listens on every address`,
      ]
    : []
}

const routeLines = ({ options: { localAddresses, serviceCIDRs } }: Userspace, address: string): readonly string[] => {
  const parsed = readAddress(address)?.address
  if (localAddresses === undefined || parsed === undefined) return []
  const covering = serviceCIDRs.filter((text) => {
    const cidr = parseCIDR(text)
    return cidr !== undefined && cidrContains(cidr, parsed)
  })
  return covering.map((cidr) => `local ${cidr} dev lo`)
}

const socketLine = ({ desired: { ref }, status }: Listener): string => {
  const where = `${ref.protocol} ${ref.address}:${ref.port}`
  switch (status.state) {
    case 'serving':
      return `LISTEN ${where}`
    case 'substituted':
      return `LISTEN ${ref.protocol} ${ref.address}:${status.substitute}, in place of port ${ref.port}`
    case 'failed':
      return `no socket for ${where}: ${status.code}, tried again`
    case 'gone':
      return `no socket for ${where} yet`
    default:
      return status satisfies never
  }
}

const choiceLines = ({ state, desired: { frontend } }: Listener, packet: Packet): readonly string[] => {
  if (!isAllowed(frontend, packet)) return ['the source is not allowed: TCP is reset, UDP is dropped']
  const { set } = frontend.routes[packet.source.class]
  const targets = set === 'local' ? state.current.local : state.current.cluster
  if (targets.length === 0) return [`no endpoint in the ${set} set: TCP is reset, UDP is dropped`]
  return [nextLine(state, targets, { set, client: canonical(packet.source.address) })]
}

const nextLine = (
  state: PortState,
  targets: readonly Target[],
  { set, client }: { readonly set: string; readonly client: string },
): string => {
  const remembered = state.affinity?.peek(client, targets)
  if (remembered !== undefined) return `affinity of ${client}: ${remembered.address}:${remembered.port}`
  const next = upcoming(state, targets)
  return `next of ${targets.length} in the ${set} set: ${next === undefined ? 'none' : `${next.address}:${next.port}`}`
}
