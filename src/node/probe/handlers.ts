import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import type { Container, HTTPGetAction, Probe } from '../../api/index.ts'
import { type Clock, errorMessage } from '../../base/index.ts'
import { grpcCheck } from './grpc.ts'
import type { HandlerOutcome } from './outcome.ts'

/** What handlers act on: a running container. */
export interface HandlerTarget {
  readonly address: string
  readonly container: Container
  /** Runs a command in the container. */
  run(command: readonly string[], options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<HandlerOutcome>
}

export type ProbeHandler = Pick<Probe, 'exec' | 'httpGet' | 'tcpSocket' | 'grpc'>

export interface HandlerOptions {
  readonly timeoutMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Tries a probe or hook handler once. Never rejects: what goes wrong is an outcome. */
export const tryHandler = async (
  handler: ProbeHandler,
  target: HandlerTarget,
  options: HandlerOptions,
): Promise<HandlerOutcome> => {
  const cut = new AbortController()
  const timer = options.clock.setTimer(() => cut.abort(), options.timeoutMs)
  const signal = AbortSignal.any([cut.signal, options.signal])
  try {
    if (handler.httpGet) return await httpGet(handler.httpGet, target, signal)
    if (handler.tcpSocket) {
      const port = portNumber(handler.tcpSocket.port, target.container)
      return await tcpConnect(handler.tcpSocket.host || target.address, port, signal)
    }
    if (handler.grpc) return await grpcCheck({ host: target.address, ...handler.grpc }, signal)
    if (handler.exec) return await target.run(handler.exec.command ?? [], { timeoutMs: options.timeoutMs, signal })
    return { ok: false, output: 'handler is not supported here' }
  } catch (error) {
    return { ok: false, output: cut.signal.aborted ? `no answer within ${options.timeoutMs / 1000}s` : errorMessage(error) }
  } finally {
    timer.cancel()
  }
}

/** A port by number, or by the name that the container gives it. */
export const portNumber = (port: number | string, container: Container): number => {
  const number = typeof port === 'number' ? port : Number(port)
  if (Number.isInteger(number) && number > 0 && number < 65536) return number
  const named = container.ports?.find(({ name }) => name !== undefined && name === port)
  if (named === undefined) throw new Error(`container ${container.name} has no port ${JSON.stringify(port)}`)
  return named.containerPort
}

const httpGet = (action: HTTPGetAction, target: HandlerTarget, signal: AbortSignal): Promise<HandlerOutcome> =>
  new Promise((resolve, reject) => {
    const host = action.host || target.address
    const port = portNumber(action.port, target.container)
    const path = action.path || '/'
    const call = action.scheme === 'HTTPS' ? httpsRequest : httpRequest
    const request = call({
      host,
      port,
      path: path.startsWith('/') ? path : `/${path}`,
      headers: { 'user-agent': 'kube-probe/fairway', accept: '*/*', connection: 'close', ...headersOf(action) },
      agent: false,
      signal,
      // Probes don't verify certificates (Kubernetes: "HTTPS ... skipping certificate verification").
      rejectUnauthorized: false,
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const { statusCode = 0 } = response
      response.destroy()
      // A redirect counts as success: the process is there and answers.
      if (statusCode >= 200 && statusCode < 400) resolve({ ok: true, output: '' })
      else resolve({ ok: false, output: `HTTP probe failed with statuscode: ${statusCode}` })
    })
    request.end()
  })

const headersOf = (action: HTTPGetAction): Readonly<Record<string, string>> =>
  Object.fromEntries((action.httpHeaders ?? []).map(({ name, value }) => [name.toLowerCase(), value]))

const tcpConnect = (host: string, port: number, signal: AbortSignal): Promise<HandlerOutcome> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.destroy()
      resolve({ ok: true, output: '' })
    })
  })
