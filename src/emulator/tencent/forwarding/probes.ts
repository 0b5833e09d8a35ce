import { createSocket } from 'node:dgram'
import { request } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { connect } from 'node:net'
import type { HealthCheck } from '../model.ts'

export interface Probe {
  readonly check: HealthCheck
  readonly isUdp: boolean
  readonly address: string
  readonly port: number
  readonly timeoutMs: number
}

/** Asks a target once; never rejects. */
export const probe = (asked: Probe): Promise<boolean> => {
  const { check, isUdp } = asked
  if (isUdp) return probeUdp(asked)
  if (check.type === 'HTTP' || check.type === 'HTTPS') return probeHttp(asked)
  return probeTcp(asked)
}

const probeTcp = ({ check, address, port, timeoutMs }: Probe): Promise<boolean> =>
  new Promise((resolve) => {
    const context = contextOf(check)
    const socket = connect({ host: address, port, timeout: timeoutMs, autoSelectFamily: false })
    const end = (isWell: boolean): void => {
      socket.destroy()
      resolve(isWell)
    }
    let received = Buffer.alloc(0)
    socket.once('connect', () => (context === undefined ? end(true) : socket.write(context.send)))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (context !== undefined && received.length >= context.receive.length) end(startsWith(received, context.receive))
    })
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
    socket.once('close', () => resolve(false))
  })

const probeHttp = ({ check, address, port, timeoutMs }: Probe): Promise<boolean> =>
  new Promise((resolve) => {
    const send = check.type === 'HTTPS' ? tlsRequest : request
    const asked = send(
      {
        host: address,
        port,
        path: check.path ?? '/',
        method: check.method ?? 'HEAD',
        headers: { host: check.domain || address, 'user-agent': 'clb-healthcheck', connection: 'close' },
        timeout: timeoutMs,
        agent: false,
        rejectUnauthorized: false,
      },
      (answer) => {
        answer.destroy()
        resolve(((1 << (Math.floor((answer.statusCode ?? 0) / 100) - 1)) & check.codes) !== 0)
      },
    )
    asked.once('timeout', () => asked.destroy())
    asked.once('error', () => resolve(false))
    asked.once('close', () => resolve(false))
    asked.end()
  })

/** How long the system may take to say that nobody listens. */
const UNREACHABLE_MS = 100

/** `PING`: an empty datagram, dead when the system answers "port unreachable"; ICMP itself needs rights that an ordinary user lacks. */
const probeUdp = ({ check, address, port, timeoutMs }: Probe): Promise<boolean> =>
  new Promise((resolve) => {
    const context = contextOf(check)
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    const end = (isWell: boolean): void => {
      clearTimeout(timer)
      socket.removeAllListeners().on('error', () => {})
      socket.close()
      resolve(isWell)
    }
    const timer = setTimeout(() => end(context === undefined), context === undefined ? UNREACHABLE_MS : timeoutMs)
    socket.once('error', () => end(false))
    socket.on('message', (answer) => end(context === undefined || startsWith(answer, context.receive)))
    socket.connect(port, address, () => socket.send(context?.send ?? Buffer.alloc(0)))
  })

const contextOf = ({ context }: HealthCheck): { readonly send: Buffer; readonly receive: Buffer } | undefined => {
  if (context === undefined) return undefined
  const encoding = context.type === 'HEX' ? 'hex' : 'latin1'
  return { send: Buffer.from(context.send, encoding), receive: Buffer.from(context.receive, encoding) }
}

const startsWith = (bytes: Buffer, start: Buffer): boolean => bytes.subarray(0, start.length).equals(start)
