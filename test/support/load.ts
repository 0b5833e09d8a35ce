import { Agent, get } from 'node:http'

/** Where requests go: an address and, through the Ingress, the Host. */
export interface LoadTarget {
  readonly name: string
  readonly url: string
  readonly host?: string
}

export interface LoadReport {
  /** Answered with 200, by target and kind of connection. */
  readonly answered: Readonly<Record<string, number>>
  readonly failures: readonly string[]
  /**
   * By target and kind of connection: requests on a kept connection that the server closed cleanly, by FIN, before it sent a byte of an answer. A server may
   * close an idle connection at any time, and a request may cross that (RFC 9112 9.3.1, 9.6): each was sent again, once, on a new connection, and its outcome
   * is counted like any other.
   */
  readonly crossed: Readonly<Record<string, number>>
}

const PERIOD_MS = 10
const MAX_IN_FLIGHT = 64

/**
 * Requests through each target every 10 ms, on a new connection and on kept ones, until stopped; bounded, so that it never queues up. Kept connections are used
 * in turn, so that none rests. Nothing else is ever sent again: a reset is a failure, also on a kept connection.
 */
export const startLoad = (targets: readonly LoadTarget[]): { stop(): Promise<LoadReport> } => {
  const kept = new Agent({ keepAlive: true, maxSockets: 8, scheduling: 'fifo' })
  const answered: Record<string, number> = {}
  const failures: string[] = []
  const crossed: Record<string, number> = {}
  const inFlight = new Set<Promise<void>>()
  const fire = (target: LoadTarget, agent: Agent | false): void => {
    if (inFlight.size >= MAX_IN_FLIGHT) return
    const kind = `${target.name}, ${agent === false ? 'new' : 'kept'}`
    const begun = new Date().toISOString()
    const one = attempt(target, agent)
      .then((outcome) => {
        if (outcome !== 'crossed') return outcome
        crossed[kind] = (crossed[kind] ?? 0) + 1
        return attempt(target, false)
      })
      .then((outcome) => {
        if (outcome === 200) answered[kind] = (answered[kind] ?? 0) + 1
        else failures.push(`${begun} ${kind}: ${outcome} at ${new Date().toISOString()}`)
        inFlight.delete(one)
      })
    inFlight.add(one)
  }
  const timer = setInterval(() => {
    for (const target of targets) {
      fire(target, false)
      fire(target, kept)
    }
  }, PERIOD_MS)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(inFlight)
      kept.destroy()
      return { answered, failures, crossed }
    },
  }
}

/** The code of the answer, `crossed`, or what went wrong. */
const attempt = (target: LoadTarget, agent: Agent | false): Promise<number | string> =>
  new Promise((resolve) => {
    const asked = get(target.url, { agent, headers: target.host ? { host: target.host } : {}, timeout: 10_000 }, (response) => {
      response.on('error', (error) => resolve(`broken off within the answer: ${error.message}`))
      response.on('end', () => resolve(response.statusCode ?? 0)).resume()
    })
    let isReused = false
    asked.on('socket', (socket) => {
      isReused = used.has(socket)
      used.add(socket)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer in 10 s')))
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (isReused && isCleanEnd(error)) resolve('crossed')
      else resolve(`${error.message}, on a ${isReused ? 'kept' : 'new'} connection`)
    })
  })

/** Connections that carried a request; Node's own `reusedSocket` stays false for requests that waited for one. */
const used = new WeakSet<object>()

/** Node's client says `socket hang up` when the connection ended without an answer; what the kernel told it (a reset) names the system call. */
const isCleanEnd = (error: NodeJS.ErrnoException): boolean =>
  error.code === 'ECONNRESET' && error.syscall === undefined && error.message === 'socket hang up'
