import {
  type Ipvs,
  type Operation,
  type ReadServer,
  type RealAddress,
  realText,
  renderOperation,
  SCHEDULERS,
  serverText,
  type Timeouts,
} from '../index.ts'
import { type FakePacket, type FakeReal, type FakeServer, schedule } from './schedule.ts'

export type { FakePacket }

export type FakeOutcome =
  | { readonly kind: 'real'; readonly real: RealAddress }
  /** The virtual server has nobody for it. */
  | { readonly kind: 'refused' }
  /** There is no such virtual server: the packet goes on. */
  | { readonly kind: 'none' }

/** A connection that goes on. */
export interface FakeConnection {
  readonly real: RealAddress
  /** False as soon as its virtual or real server is gone. */
  isCarried(): boolean
  close(): void
}

export interface FakeIpvs extends Ipvs {
  /** Where a connection goes that ends at once. */
  schedule(packet: FakePacket): FakeOutcome
  /** One that stays; fails where nothing takes it. */
  connect(packet: FakePacket): FakeConnection
  /** Operations that changed something. */
  readonly committed: readonly string[]
  /** The next commits fail before anything is changed, instead of failures that were told before and not met. */
  failNext(...errors: readonly Error[]): void
  /** As `ipvsadm --clear` of another program. */
  clear(): void
}

/** Virtual servers without a kernel; `now` is in seconds. Strict as the kernel about what exists, and it schedules packets. */
export const fakeIpvs = (now: () => number = () => 0): FakeIpvs => {
  const servers = new Map<string, FakeServer>()
  const committed: string[] = []
  const failures: Error[] = []
  let timeouts: Timeouts = { tcp: 900, tcpFin: 120, udp: 300 }
  const choose = (packet: FakePacket): FakeReal | undefined | 'none' => {
    const found = servers.get(serverText({ protocol: packet.protocol, ...packet.destination }))
    return found === undefined ? 'none' : choice(found, packet, now())
  }
  return {
    committed,
    probe: async () => undefined,
    async commit(operations) {
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      const refused: string[] = []
      const texts = operations.map(renderOperation)
      for (const [index, operation] of operations.entries()) {
        const complaint = run(servers, operation)
        if (complaint === undefined) committed.push(texts[index] ?? '')
        else refused.push(complaint)
      }
      if (refused.length > 0) throw new Error(`ipvsadm --restore: ${refused.join('\n')}`)
    },
    read: async () => [...servers.values()].map(readServer),
    timeouts: async () => timeouts,
    async setTimeouts(wanted) {
      timeouts = { ...timeouts, ...wanted }
    },
    async loads(address) {
      const found = servers.get(serverText(address))
      return found?.reals.map(({ real: { address: ip, port, weight }, connections }) => ({
        address: ip,
        port,
        weight,
        active: connections,
        inactive: 0,
      }))
    },
    schedule(packet) {
      const real = choose(packet)
      if (real === 'none') return { kind: 'none' }
      return real === undefined ? { kind: 'refused' } : { kind: 'real', real: addressOf(real) }
    },
    connect(packet) {
      const real = choose(packet)
      if (real === undefined || real === 'none')
        throw new Error(`fake ipvs: nobody takes a connection to ${realText(packet.destination)}`)
      real.connections++
      return { real: addressOf(real), isCarried: () => !real.isGone, close: () => void real.connections-- }
    },
    failNext: (...errors) => void failures.splice(0, failures.length, ...errors),
    clear: () => servers.clear(),
  }
}

const addressOf = ({ real: { address, port } }: FakeReal): RealAddress => ({ address, port })

const readServer = ({ server, reals }: FakeServer): ReadServer => ({ ...server, reals: reals.map(({ real }) => real) })

/** As with `expire_quiescent_template`: a client does not stay with a real server of weight 0. */
const choice = (found: FakeServer, packet: FakePacket, now: number): FakeReal | undefined => {
  const { persistentSeconds } = found.server
  if (persistentSeconds === undefined) return schedule(found, packet)
  const known = found.clients.get(packet.source)
  const stays = known !== undefined && known.until >= now && !known.real.isGone && known.real.real.weight > 0
  const real = stays ? known.real : schedule(found, packet)
  if (real !== undefined) found.clients.set(packet.source, { real, until: now + persistentSeconds })
  return real
}

/** What the kernel says against it, or undefined when it is done. */
const run = (servers: Map<string, FakeServer>, operation: Operation): string | undefined => {
  const id = serverText(operation.server)
  const found = servers.get(id)
  if (operation.kind === 'add server') {
    if (found !== undefined) return 'Service already exists'
    if (!isScheduler(operation.server.scheduler)) return 'Scheduler or persistence engine not found'
    servers.set(id, { server: operation.server, reals: [], turn: 0, clients: new Map() })
    return undefined
  }
  if (found === undefined) return operation.kind.endsWith('server') ? 'No such service' : 'Service not defined'
  switch (operation.kind) {
    case 'edit server':
      if (!isScheduler(operation.server.scheduler)) return 'Scheduler or persistence engine not found'
      found.server = operation.server
      return undefined
    case 'delete server':
      for (const real of found.reals) real.isGone = true
      servers.delete(id)
      return undefined
    default:
      return runReal(found, operation)
  }
}

const runReal = (
  { reals }: FakeServer,
  operation: Extract<Operation, { kind: 'add real' | 'edit real' | 'delete real' }>,
): string | undefined => {
  const at = reals.findIndex(({ real }) => realText(real) === realText(operation.real))
  const known = reals[at]
  switch (operation.kind) {
    case 'add real':
      if (known !== undefined) return 'Destination already exists'
      if (isBroadcast(operation.real)) return 'Invalid operation.  Possibly wrong module version, address not unicast, ...'
      reals.push({ real: operation.real, connections: 0, isGone: false })
      return undefined
    case 'edit real':
      if (known === undefined) return 'No such destination'
      known.real = operation.real
      return undefined
    case 'delete real':
      if (known === undefined) return 'No such destination'
      known.isGone = true
      reals.splice(at, 1)
      return undefined
    default:
      return operation satisfies never
  }
}

const isScheduler = (name: string): boolean => SCHEDULERS.some((each) => each === name)

/** That of networks of 256 addresses stands for all. */
const isBroadcast = ({ address }: RealAddress): boolean => address.endsWith('.255')
