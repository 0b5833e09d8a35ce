import net from 'node:net'
import { type Dispatcher, Pool } from 'undici'
import { type Clock, errorCode, type Timer } from '../../../base/index.ts'
import type { OutsideTarget } from '../../table/index.ts'
import { type ConnectorOptions, guardedConnector, OutsideError, type Resolve, systemResolve } from './connect.ts'
import type { OutsideAnswer, OutsideClient, OutsideFailure, OutsideOutcome, OutsideRequest } from './contract.ts'
import { type TargetGuardOptions, targetGuard } from './target-guard.ts'

export interface OutsideClientOptions extends TargetGuardOptions {
  readonly clock: Clock
  /** `node:dns` when left out. */
  readonly resolve?: Resolve
  /** PEM of the authorities of https targets; the system's when left out. */
  readonly ca?: string
}

const CONNECT_TIMEOUT_MS = 5_000
/** Shorter than what servers keep idle connections (Node: 5 s). */
const KEEP_ALIVE_MS = 4_000
const BODY_TIMEOUT_MS = 5_000
const MAX_HEAD_BYTES = 16_384
const MAX_BODY_BYTES = 262_144
const CONNECTIONS = 64
const MOST_IN_PROGRESS = 1_024
const FORGET_POOL_AFTER_MS = 300_000

/** Requests to servers that users named: kept connections to each, bounded in time, size and number. */
export const createOutsideClient = (options: OutsideClientOptions): OutsideClient => {
  const pools = new Pools(options)
  return {
    send(request, done) {
      const place = pools.of(request)
      if (place.inProgress >= MOST_IN_PROGRESS) {
        done({ failure: 'busy' })
        return () => {}
      }
      const exchange = new OutsideExchange(place, request, done)
      exchange.begin(options.clock)
      return () => exchange.cancel()
    },
    close: () => pools.close(),
  }
}

const hostOf = ({ scheme, host, port }: OutsideTarget): string => {
  const name = net.isIPv6(host) ? `[${host}]` : host
  return port === (scheme === 'https' ? 443 : 80) ? name : `${name}:${port}`
}

interface Place {
  readonly pool: Pool
  inProgress: number
  usedAtMs: number
}

class Pools {
  readonly #options: OutsideClientOptions
  readonly #connector: ConnectorOptions
  readonly #places = new Map<string, Place>()

  constructor(options: OutsideClientOptions) {
    this.#options = options
    this.#connector = {
      resolve: options.resolve ?? systemResolve,
      mayReach: targetGuard(options),
      timeoutMs: CONNECT_TIMEOUT_MS,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    }
  }

  of({ target, connections = CONNECTIONS }: OutsideRequest): Place {
    const nowMs = this.#options.clock.monotonic()
    const origin = `${target.scheme}://${net.isIPv6(target.host) ? `[${target.host}]` : target.host}:${target.port}`
    const key = `${origin} ${connections}`
    const known = this.#places.get(key)
    if (known !== undefined) {
      known.usedAtMs = nowMs
      return known
    }
    this.#forgetUnused(nowMs)
    const place = { pool: this.#open(origin, connections), inProgress: 0, usedAtMs: nowMs }
    this.#places.set(key, place)
    return place
  }

  async close(): Promise<void> {
    const pools = [...this.#places.values()].map(({ pool }) => pool)
    this.#places.clear()
    await Promise.all(pools.map((pool) => pool.destroy()))
  }

  #open(origin: string, connections: number): Pool {
    return new Pool(origin, {
      connections,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
      bodyTimeout: BODY_TIMEOUT_MS,
      connect: guardedConnector(this.#connector),
    })
  }

  #forgetUnused(nowMs: number): void {
    for (const [key, { pool, inProgress, usedAtMs }] of this.#places) {
      if (inProgress > 0 || nowMs - usedAtMs < FORGET_POOL_AFTER_MS) continue
      this.#places.delete(key)
      pool.destroy().catch(() => {})
    }
  }
}

const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** One request as undici sees it: tells the outcome at the answer's head, then lets the rest of it run dry. */
class OutsideExchange implements Dispatcher.DispatchHandler {
  readonly #place: Place
  readonly #request: OutsideRequest
  #done: ((outcome: OutsideOutcome) => void) | undefined
  #timer: Timer | undefined
  #controller: Dispatcher.DispatchController | undefined
  #mayRepeat: boolean
  #bodyBytes = 0
  #isOver = false

  constructor(place: Place, request: OutsideRequest, done: (outcome: OutsideOutcome) => void) {
    this.#place = place
    this.#request = request
    this.#done = done
    this.#mayRepeat = request.body === undefined && REPEATABLE.has(request.method)
  }

  begin(clock: Clock): void {
    this.#place.inProgress++
    this.#timer = clock.setTimer(() => this.#stop({ failure: 'timeout' }), this.#request.timeoutMs)
    this.#dispatch()
  }

  cancel(): void {
    if (this.#done !== undefined) this.#stop(undefined)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isOver) controller.abort(new Error('too late'))
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: ResponseHeaders): void {
    if (status >= 200) this.#tell({ answer: { status, fields: fieldsOf(headers) } })
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#bodyBytes += piece.length
    if (this.#bodyBytes > MAX_BODY_BYTES) controller.abort(new Error('the body is too long'))
  }

  onResponseEnd(): void {
    this.#end({ failure: 'invalid' })
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, error: Error): void {
    // A kept connection that the server closed just now took nothing of the request.
    if (this.#done !== undefined && this.#mayRepeat && isReset(error)) {
      this.#mayRepeat = false
      this.#dispatch()
    } else this.#end({ failure: failureOf(error) })
  }

  #dispatch(): void {
    const { method, path, body = null, fields, target, host } = this.#request
    const headers = ['host', host ?? hostOf(target), ...fields.flat()]
    try {
      // The types narrow methods to the common ones; undici takes any token.
      this.#place.pool.dispatch({ method: method as Dispatcher.HttpMethod, path, body, headers }, this)
    } catch {
      this.#end({ failure: 'invalid' })
    }
  }

  #stop(outcome: OutsideOutcome | undefined): void {
    this.#end(outcome)
    this.#controller?.abort(new Error('given up'))
  }

  #end(outcome: OutsideOutcome | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#place.inProgress--
    this.#tell(outcome)
  }

  #tell(outcome: OutsideOutcome | undefined): void {
    const done = this.#done
    this.#done = undefined
    this.#timer?.cancel()
    if (outcome !== undefined) done?.(outcome)
  }
}

type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>

const fieldsOf = (headers: ResponseHeaders): OutsideAnswer['fields'] =>
  Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((each): readonly [string, string] => [name.toLowerCase(), each]),
  )

const INVALID: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_INVALID_ARG',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
])
const TIMEOUTS: ReadonlySet<string> = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

const RESETS: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

const isReset = (error: Error): boolean => RESETS.has(errorCode(error) ?? '')

const failureOf = (error: Error): OutsideFailure => {
  if (error instanceof OutsideError) return error.failure
  const code = errorCode(error) ?? ''
  if (TIMEOUTS.has(code)) return 'timeout'
  return INVALID.has(code) || error.name === 'HTTPParserError' ? 'invalid' : 'unreachable'
}
