import { errorCode } from '../../base/index.ts'
import {
  type Client,
  createTcpForwarder,
  createUdpForwarder,
  type Target,
  type TcpForwarder,
  type TcpListen,
  type UdpForwarder,
  type UdpListener,
} from '../../l4/index.ts'
import { addressMatcher } from '../../l7/index.ts'
import { acceptProxied, encodeProxyText } from '../../l7/proxy-protocol/index.ts'
import type { StreamSettings } from './protocol.ts'
import { type StreamFailure, type StreamPort, streamKey } from './stream-table.ts'

const PROXY_HEADER_TIMEOUT_MS = 5_000

/** An open port; what it does with the next connection is `now`. */
interface Open {
  now: StreamPort
  next: number
  readonly close: () => Promise<void>
  readonly endFlows: UdpListener['endFlows'] | undefined
}

/** The forwarding of one process: a change of a port touches no connection of another, and none of its own that is established. */
export class StreamPlane {
  readonly #settings: StreamSettings
  readonly #tcp: TcpForwarder = createTcpForwarder()
  readonly #udp: UdpForwarder = createUdpForwarder()
  readonly #open = new Map<string, Open>()
  readonly #isTrusted: (address: string) => boolean

  constructor(settings: StreamSettings) {
    this.#settings = settings
    this.#isTrusted = addressMatcher(settings.trustedProxies)
  }

  /** Makes it exactly these ports; resolves with those that cannot be had. One update at a time. */
  async update(ports: readonly StreamPort[]): Promise<readonly StreamFailure[]> {
    const wanted = new Map(ports.map((port) => [streamKey(port), port]))
    for (const [key, open] of this.#open) {
      if (wanted.has(key)) continue
      this.#open.delete(key)
      await open.close()
    }
    const failures = await Promise.all([...wanted].map(([key, port]) => this.#put(key, port)))
    return failures.filter((failure) => failure !== undefined)
  }

  /** Takes nothing new, waits for connections to end, resets the rest. */
  async stop(drainMs: number): Promise<void> {
    await Promise.all([this.#tcp.close(drainMs), this.#udp.close()])
  }

  async #put(key: string, port: StreamPort): Promise<StreamFailure | undefined> {
    const present = this.#open.get(key)
    if (present !== undefined) {
      present.now = port
      present.endFlows?.((target) => !port.endpoints.some((endpoint) => isSame(endpoint, target)))
      return undefined
    }
    try {
      const open = await (port.protocol === 'TCP' ? this.#listenTcp(key, port) : this.#listenUdp(key, port))
      this.#open.set(key, open)
      return undefined
    } catch (error) {
      return { protocol: port.protocol, port: port.port, code: errorCode(error) ?? 'UNKNOWN' }
    }
  }

  async #listenTcp(key: string, now: StreamPort): Promise<Open> {
    const state = (): Open | undefined => this.#open.get(key)
    const introduce: NonNullable<TcpListen['introduce']> = (socket, peer, done) => {
      const port = state()?.now
      if (port?.takesProxyHeader === false) return done(peer)
      if (port === undefined || !this.#isTrusted(peer.address)) return void socket.destroy()
      acceptProxied(socket, {
        timeoutMs: PROXY_HEADER_TIMEOUT_MS,
        done: (told) =>
          done(
            told === undefined
              ? peer
              : { address: told.source, port: told.sourcePort, localAddress: told.destination, localPort: told.destinationPort },
          ),
      })
    }
    const greet = (client: Client): string | undefined =>
      state()?.now.sendsProxyHeader === true ? greetingOf(client) : undefined
    const choose = (_client: Client, tried: readonly Target[]): Target | undefined => chooseNext(state(), tried)
    const { address } = this.#settings
    const listener = await this.#tcp.listen({ address, port: now.port, choose, introduce, greet })
    return { now, next: 0, close: () => listener.close(), endFlows: undefined }
  }

  async #listenUdp(key: string, now: StreamPort): Promise<Open> {
    const { address } = this.#settings
    const listener = await this.#udp.listen({ address, port: now.port, choose: () => chooseNext(this.#open.get(key), []) })
    return { now, next: 0, close: () => listener.close(), endFlows: (isGone) => listener.endFlows(isGone) }
  }
}

/** In turn, without those that were tried. */
const chooseNext = (open: Open | undefined, tried: readonly Target[]): Target | undefined => {
  if (open === undefined) return undefined
  const { endpoints } = open.now
  for (let i = 0; i < endpoints.length; i++) {
    const endpoint = endpoints[open.next++ % endpoints.length]
    if (endpoint !== undefined && !tried.some((target) => isSame(endpoint, target))) return endpoint
  }
  return undefined
}

const isSame = (a: Target, b: Target): boolean => a.address === b.address && a.port === b.port

const greetingOf = ({ address, port, localAddress, localPort }: Client): string =>
  encodeProxyText({ source: address, sourcePort: port, destination: localAddress, destinationPort: localPort })
