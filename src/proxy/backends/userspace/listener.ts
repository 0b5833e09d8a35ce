import { type Backoff, type Clock, createBackoff, errorCode, errorMessage, type Timer } from '../../../base/index.ts'
import type { Client, Target, TcpForwarder, UdpForwarder } from '../../../l4/index.ts'
import type { SourceClass } from '../../../model/index.ts'
import type { FrontendStatus } from '../../backend.ts'
import { choose, type PortState } from './choose.ts'
import { type DesiredListener, listenerId } from './desired-listeners.ts'
import type { LocalAddresses } from './local-addresses.ts'

export interface ListenerContext {
  readonly clock: Clock
  readonly tcp: TcpForwarder
  readonly udp: UdpForwarder
  readonly localAddresses: LocalAddresses | undefined
  /** Addresses outside the service ranges that were made bindable for a listener. */
  readonly ensured: Set<string>
  readonly classify: () => (source: string, reached: string) => SourceClass
  readonly report: (status: FrontendStatus) => void
  /** Sockets that are open, by {@link listenerId} of where they really listen. */
  readonly bound: Set<string>
  /** Whether a frontend needs this socket: then it is no substitute for another. */
  readonly isWanted: (protocol: string, address: string, port: number) => boolean
}

/** One listening socket with its retries; `desired` and `state` follow the Service without touching the socket. */
export interface Listener {
  desired: DesiredListener
  state: PortState
  status: FrontendStatus
  open(): Promise<void>
  /** The kernel does not have the socket any longer: lets go of it and opens another. */
  reopen(): Promise<void>
  /** Ends flows to endpoints that the port no longer has; TCP connections stay. */
  prune(): void
  close(): Promise<void>
}

interface Socket {
  readonly port: number
  close(): Promise<void>
  endFlows?(isGone: (target: Target) => boolean): void
}

/** Retries begin at a second and slow down to half a minute. */
const RETRY = { initialMs: 1_000, maxMs: 30_000, jitter: 0.2 }

export const createListener = (context: ListenerContext, desired: DesiredListener, state: PortState): Listener => {
  let socket: Socket | undefined
  let isClosed = false
  let retry: Timer | undefined
  let backoff: Backoff | undefined
  const become = (status: FrontendStatus): void => {
    const before = listener.status
    listener.status = status
    if (status.state !== before.state || messageOf(status) !== messageOf(before)) context.report(status)
  }
  const listener: Listener = {
    desired,
    state,
    status: { ...desired.ref, state: 'gone' },
    async open() {
      try {
        const opened = await openSocket(context, listener)
        if (isClosed) return await opened.close()
        socket = opened
        become(statusOf(listener.desired, opened.port))
      } catch (error) {
        if (isClosed) return
        become(failure(listener.desired, error, context.localAddresses !== undefined))
        backoff ??= createBackoff(RETRY)
        retry = context.clock.setTimer(() => void listener.open(), backoff.next())
      }
    },
    async reopen() {
      const lost = socket
      socket = undefined
      await lost?.close()
      if (!isClosed) await listener.open()
    },
    prune() {
      const { cluster, local } = listener.state.current
      socket?.endFlows?.(
        ({ address, port }) => ![...cluster, ...local].some((target) => target.address === address && target.port === port),
      )
    },
    async close() {
      isClosed = true
      retry?.cancel()
      await socket?.close()
      become({ ...listener.desired.ref, state: 'gone' })
    },
  }
  return listener
}

const messageOf = (status: FrontendStatus): string => ('message' in status ? status.message : '')

const statusOf = ({ ref }: DesiredListener, bound: number): FrontendStatus =>
  bound === ref.port
    ? { ...ref, state: 'serving' }
    : {
        ...ref,
        state: 'substituted',
        substitute: bound,
        message: `${ref.protocol} ${ref.address}:${ref.port} may not be bound by this user, so it is served on port ${bound}`,
      }

const openSocket = async (context: ListenerContext, listener: Listener): Promise<Socket> => {
  const { address, port } = listener.desired.ref
  try {
    return await bind(context, listener, port)
  } catch (error) {
    switch (errorCode(error)) {
      case 'EACCES':
        return openSubstitute(context, listener, error)
      case 'EADDRNOTAVAIL':
        if (context.localAddresses === undefined) throw error
        context.ensured.add(address)
        await context.localAddresses.ensure(hostRange(address))
        return bind(context, listener, port)
      default:
        throw error
    }
  }
}

export const hostRange = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`

const SUBSTITUTE_OFFSET = 10_000
const SUBSTITUTE_TRIES = 32

/** 80 is served on 10080, or on the next port that is free and that no other frontend wants. */
const openSubstitute = async (context: ListenerContext, listener: Listener, refusal: unknown): Promise<Socket> => {
  const { protocol, address, port } = listener.desired.ref
  for (let tries = 0, candidate = port + SUBSTITUTE_OFFSET; tries < SUBSTITUTE_TRIES; tries++, candidate++) {
    if (context.isWanted(protocol, address, candidate)) continue
    try {
      return await bind(context, listener, candidate)
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE') throw error
    }
  }
  throw refusal
}

const bind = async (context: ListenerContext, listener: Listener, port: number): Promise<Socket> => {
  const { protocol, address } = listener.desired.ref
  const pick = (client: Client, tried: readonly Target[] = []): Target | undefined => {
    const source = context.classify()(client.address, client.localAddress)
    const unusable = [...tried]
    for (;;) {
      const target = choose(listener.state, { frontend: listener.desired.frontend, client, source, tried: unusable })
      if (target === undefined || !isOwn(context, protocol, target)) return target
      unusable.push(target)
    }
  }
  const socket: Socket = await (protocol === 'UDP' ? context.udp : context.tcp).listen({ address, port, choose: pick })
  const id = listenerId(protocol, address, socket.port)
  context.bound.add(id)
  return {
    port: socket.port,
    ...('endFlows' in socket ? { endFlows: socket.endFlows } : {}),
    close: () => {
      context.bound.delete(id)
      return socket.close()
    },
  }
}

/**
 * An endpoint that is a frontend of this proxy would be forwarded again, for ever if it is its own. In kernel modes such a packet is not
 * translated twice and finds nobody, so here nobody is reached either.
 */
const isOwn = ({ bound, isWanted }: ListenerContext, protocol: string, { address, port }: Target): boolean =>
  isWanted(protocol, address, port) || bound.has(listenerId(protocol, address, port))

const failure = ({ ref }: DesiredListener, error: unknown, isPrivileged: boolean): FrontendStatus => {
  const code = errorCode(error) ?? 'UNKNOWN'
  return {
    ...ref,
    state: 'failed',
    code,
    message: `${ref.protocol} ${ref.address}:${ref.port}: ${explain(code, error, isPrivileged)}`,
  }
}

const explain = (code: string, error: unknown, isPrivileged: boolean): string => {
  switch (code) {
    case 'EADDRINUSE':
      return 'another process listens there; stop it or choose another address or port, the proxy keeps trying'
    case 'EADDRNOTAVAIL':
      return isPrivileged
        ? 'the address could not be made local; the proxy keeps trying'
        : 'the address is not on this machine; run as root, or use addresses in 127.0.0.0/8'
    case 'EACCES':
      return 'this user may not bind the port and no substitute is free; run as root or lower net.ipv4.ip_unprivileged_port_start'
    case 'EMFILE':
    case 'ENFILE':
      return 'out of file descriptors; raise the limit (ulimit -n), the proxy keeps trying'
    default:
      return `${errorMessage(error)}; the proxy keeps trying`
  }
}
