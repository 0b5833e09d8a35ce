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
}

const PERIOD_MS = 10
const MAX_IN_FLIGHT = 64

/** Requests through each target every 10 ms, on a new connection and on kept ones, until stopped; bounded, so that it never queues up. */
export const startLoad = (targets: readonly LoadTarget[]): { stop(): Promise<LoadReport> } => {
  const kept = new Agent({ keepAlive: true, maxSockets: 8 })
  const answered: Record<string, number> = {}
  const failures: string[] = []
  const inFlight = new Set<Promise<void>>()
  const fire = (target: LoadTarget, agent: Agent | false): void => {
    if (inFlight.size >= MAX_IN_FLIGHT) return
    const kind = `${target.name}, ${agent === false ? 'new' : 'kept'}`
    const begun = new Date().toISOString()
    const one = request(target, agent).then((outcome) => {
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
      return { answered, failures }
    },
  }
}

/**
 * A client that reuses connections must repeat an idempotent request whose kept connection was closed before a byte came (RFC 9110 9.2.2): what
 * is on a new connection may not fail at all.
 */
const request = async (target: LoadTarget, agent: Agent | false): Promise<number | string> => {
  const outcome = await attempt(target, agent)
  return outcome === 'stale' ? attempt(target, false) : outcome
}

const attempt = (target: LoadTarget, agent: Agent | false): Promise<number | string> =>
  new Promise((resolve) => {
    const asked = get(target.url, { agent, headers: target.host ? { host: target.host } : {}, timeout: 10_000 }, (response) => {
      response.on('error', (error) => resolve(`body: ${error.message}`))
      response.on('end', () => resolve(response.statusCode ?? 0)).resume()
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer in 10 s')))
    asked.on('error', (error: NodeJS.ErrnoException) =>
      resolve(asked.reusedSocket && error.code === 'ECONNRESET' ? 'stale' : error.message),
    )
  })
