import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import type { BackendTls, HealthCheck } from '../../table/index.ts'
import { tlsOptions } from '../tls-options.ts'

export interface CheckTarget {
  readonly address: string
  readonly port: number
  readonly protocol: 'http' | 'https' | 'h2c' | 'h2'
  readonly tls?: BackendTls | undefined
}

type Judge = (status: number | undefined) => void

/** Sends one GET on a connection of its own and says once whether the status is one of the check's. Returns how to give up: nothing is said then. */
export const startCheck = (target: CheckTarget, check: HealthCheck, onEnd: (isWell: boolean) => void): (() => void) => {
  let isOver = false
  const judge: Judge = (status) => {
    if (isOver) return
    isOver = true
    onEnd(isWithin(status, check.statuses))
  }
  const stop = ask(target, check, judge)
  return () => {
    isOver = true
    stop()
  }
}

const ask = (target: CheckTarget, check: HealthCheck, judge: Judge): (() => void) => {
  try {
    const isHttp1 = target.protocol === 'http' || target.protocol === 'https'
    return isHttp1 ? askHttp1(target, check, judge) : askHttp2(target, check, judge)
  } catch {
    // A path, name or certificate that Node refuses: no endpoint can be well by this check.
    process.nextTick(judge, undefined)
    return () => {}
  }
}

const isWithin = (status: number | undefined, [from, to]: HealthCheck['statuses']): boolean =>
  status !== undefined && status >= from && status <= to

const askHttp1 = (target: CheckTarget, check: HealthCheck, judge: Judge): (() => void) => {
  const isTls = target.protocol === 'https'
  const request = (isTls ? https : http).request({
    host: target.address,
    port: target.port,
    path: check.path,
    headers: { host: hostOf(target, check), 'user-agent': USER_AGENT, connection: 'close' },
    agent: false,
    ...(isTls ? tlsOptions(target.tls) : {}),
  })
  request.on('response', (response) => {
    judge(response.statusCode)
    response.destroy()
  })
  request.on('error', () => judge(undefined))
  request.end()
  return () => request.destroy()
}

const askHttp2 = (target: CheckTarget, check: HealthCheck, judge: Judge): (() => void) => {
  const isTls = target.protocol === 'h2'
  const session = http2.connect(`${isTls ? 'https' : 'http'}://${authorityOf(target)}`, isTls ? tlsOptions(target.tls) : {})
  session.on('error', () => judge(undefined))
  session.on('close', () => judge(undefined))
  const stream = session.request({ ':path': check.path, ':authority': hostOf(target, check), 'user-agent': USER_AGENT })
  stream.on('response', (headers) => judge(headers[':status']))
  stream.on('error', () => judge(undefined))
  stream.end()
  return () => session.destroy()
}

const USER_AGENT = 'fairway-health-check'

const authorityOf = ({ address, port }: CheckTarget): string => `${net.isIPv6(address) ? `[${address}]` : address}:${port}`

const hostOf = (target: CheckTarget, check: HealthCheck): string => check.host ?? authorityOf(target)
