import { lookup } from 'node:dns'
import net from 'node:net'
import { buildConnector } from 'undici'
import type { OutsideFailure } from './contract.ts'

/** Resolves a name to all its addresses; `node:dns` in production. */
export type Resolve = (name: string, done: (error: Error | null, addresses: readonly string[]) => void) => void

export const systemResolve: Resolve = (name, done) =>
  lookup(name, { all: true }, (error, addresses) =>
    done(
      error,
      (addresses ?? []).map(({ address }) => address),
    ),
  )

export class OutsideError extends Error {
  readonly failure: OutsideFailure

  constructor(failure: OutsideFailure) {
    super(failure)
    this.failure = failure
  }
}

export interface ConnectorOptions {
  readonly resolve: Resolve
  readonly mayReach: (address: string) => boolean
  readonly timeoutMs: number
  /** PEM; the system's authorities when left out. */
  readonly ca?: string
}

/**
 * Connects to an address, never to a name: the name is resolved here, its addresses are judged, and those that may are tried in turn, so that
 * a second answer of the DNS cannot lead elsewhere. SNI and the certificate's name stay the target's.
 */
export const guardedConnector = (options: ConnectorOptions): buildConnector.connector => {
  const { resolve, mayReach, timeoutMs, ca } = options
  const connect = buildConnector({ timeout: timeoutMs, keepAlive: true, allowH2: false, ...(ca === undefined ? {} : { ca }) })
  return (wanted, done) => {
    const name = wanted.hostname.replace(/^\[|\]$/g, '')
    const servername = net.isIP(name) === 0 ? name : ''
    const fail = (failure: OutsideFailure): void => done(new OutsideError(failure), null)
    const reach = ([address = '', ...rest]: readonly string[]): void => {
      connect({ ...wanted, hostname: address, host: name, servername }, (...[error, socket]) => {
        if (error !== null && rest.length > 0) reach(rest)
        else if (error !== null) done(error, null)
        else if (mayReach(socket.remoteAddress ?? '')) done(null, socket)
        else {
          socket.destroy()
          fail('target-refused')
        }
      })
    }
    addressesOf(name, resolve, (addresses) => {
      const reachable = addresses.filter(mayReach)
      if (reachable.length > 0) reach(reachable)
      else fail(addresses.length === 0 ? 'unresolved' : 'target-refused')
    })
  }
}

const addressesOf = (name: string, resolve: Resolve, done: (addresses: readonly string[]) => void): void => {
  if (net.isIP(name) !== 0) done([name])
  else resolve(name, (error, addresses) => done(error === null ? addresses : []))
}
