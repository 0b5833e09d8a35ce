import { noDad } from './bridge.ts'
import type { IpCommand, IpTool } from './ip-tool.ts'
import { namespaceExists, type ObservedLink, readGateways, readLink } from './observe.ts'

export interface Port {
  /** The veth's end on the host; starts with the instance's tag. */
  readonly name: string
  readonly namespace: string
  readonly bridge: string
  /** Of the end inside, in the form `10.0.0.5/24`. */
  readonly addresses: readonly string[]
  /** Default routes inside, one for each family. */
  readonly gateways: readonly string[]
  /** Reaches other isolated ports only by way of the node, as on a bridge whose ports are `routed`. Otherwise it may reach itself through the bridge. */
  readonly isolated?: boolean
}

/** The interface's name inside a namespace. */
const INSIDE = 'eth0'

/** Makes the namespace and its pair, or puts right what differs. */
export const ensurePort = async (ip: IpTool, port: Port): Promise<void> => {
  const [outside, inside] = await Promise.all([readLink(ip, port.name), readLink(ip, INSIDE, port.namespace)])
  if (outside === undefined && inside === undefined) {
    if (await namespaceExists(ip, port.namespace)) await ip.batch(removePortCommands(port), { keepGoing: true })
  } else if (await isConnected(ip, port, { outside, inside })) {
    return ip.batch(hasRightFlags(port, outside) ? [] : [flagCommand(port)])
  } else await ip.batch(removePortCommands(port), { keepGoing: true })
  await createPort(ip, port)
}

interface Pair {
  readonly outside: ObservedLink | undefined
  readonly inside: ObservedLink | undefined
}

const isConnected = async (ip: IpTool, port: Port, { outside, inside }: Pair): Promise<boolean> => {
  if (outside?.master !== port.bridge || !outside.isUp || !inside?.isUp) return false
  if (!port.addresses.every((address) => inside.addresses.includes(address))) return false
  const gateways = await readGateways(ip, port.namespace)
  return port.gateways.every((gateway) => gateways.includes(gateway))
}

const hasRightFlags = ({ isolated = false }: Port, outside: ObservedLink | undefined): boolean =>
  outside?.isIsolated === isolated && outside.isHairpin === !isolated

const flagCommand = ({ name, isolated = false }: Port): IpCommand => {
  const [isolation, hairpin] = isolated ? ['on', 'off'] : ['off', 'on']
  // Hairpin: a pod that reaches itself through a Service leaves and enters by the same port.
  return ['link', 'set', 'dev', name, 'type', 'bridge_slave', 'isolated', isolation, 'hairpin', hairpin]
}

export const removePortCommands = (port: Pick<Port, 'name' | 'namespace'>): readonly IpCommand[] => [
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
    flagCommand(port),
  ])
  const inside: IpCommand[] = [
    ['link', 'set', 'lo', 'up'],
    ...port.addresses.map((address) => ['addr', 'add', address, 'dev', INSIDE, ...noDad(address)]),
    ['link', 'set', INSIDE, 'up'],
    ...port.gateways.map((gateway) => ['route', 'add', 'default', 'via', gateway, 'dev', INSIDE]),
  ]
  await ip.batch(inside, { namespace })
}
