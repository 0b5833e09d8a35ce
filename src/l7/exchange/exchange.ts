import type { EngineContext } from '../context.ts'
import type { RequestHead } from '../http1/request-head.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { fieldValue, removeNamed } from '../http1/text.ts'
import type { Answer, Verdict } from '../policy/index.ts'
import { beginTrace, traceParentOf } from '../telemetry/trace-context.ts'
import type { EndpointPool } from '../upstream/pool.ts'
import type { UpstreamFailure, UpstreamStream, UpstreamUser } from '../upstream/stream.ts'
import { engineAnswer } from './answers.ts'
import { Attempts, type Repeatable } from './attempts.ts'
import { Authorization } from './authorization.ts'
import type { ExchangeClient } from './client.ts'
import { EarlyBody } from './early-body.ts'
import { Mirroring } from './mirroring.ts'
import { PodRequest } from './pod-request.ts'
import { ExchangeRecord } from './record.ts'
import { Routing } from './routing.ts'

/** Of `/.well-known/`. */
const DOT = 0x2e
/** As nginx logs a client that went away before it was answered. */
const CLIENT_GONE = 499

/** Carries one request at a time from a client to a pod and the answer back; reused by all requests of a connection. */
export class Exchange implements UpstreamUser, Repeatable {
  isActive = false
  isTunnel = false
  readonly #request: RequestHead
  readonly #context: EngineContext
  readonly #client: ExchangeClient
  readonly #pod = new PodRequest()
  readonly #body = new EarlyBody()
  readonly #routing: Routing
  readonly #attempts: Attempts
  readonly #record: ExchangeRecord
  readonly #authorization = new Authorization()
  #upstream: UpstreamStream | undefined
  #mirroring: Mirroring | undefined
  #sentMs = 0
  #responseStarted = false
  #isErrorPage = false
  #pausedUpstream = false
  #isInvited = false

  constructor(context: EngineContext, client: ExchangeClient, request: RequestHead) {
    this.#context = context
    this.#client = client
    this.#request = request
    this.#routing = new Routing(request, client)
    this.#attempts = new Attempts(context.settings)
    this.#record = new ExchangeRecord(request, { client, routing: this.#routing, attempts: this.#attempts })
  }

  get isConnected(): boolean {
    return this.#upstream?.isConnected === true
  }

  /** Body bytes are of use now. */
  get wantsBody(): boolean {
    return this.isConnected || this.#body.isCollecting
  }

  /** The pod takes nothing more for now. */
  get isBlocked(): boolean {
    return this.#upstream?.isBlocked === true
  }

  get maxBodyBytes(): number {
    return this.#routing.policy?.maxBodyBytes || this.#context.settings.maxBodyBytes
  }

  get timeouts(): PodRequest['timeouts'] {
    return this.#pod.timeouts
  }

  get method(): string {
    return this.#request.method
  }

  get isKept(): boolean {
    return this.#request.isBodiless || this.#body.isKept
  }

  /** A request's head was read; what the last one left is forgotten. */
  prepare(): void {
    const request = this.#request
    this.isActive = true
    this.#record.begin(request.requestId === '' ? this.#context.newRequestId() : request.requestId)
    this.#routing.clear()
    this.#attempts.clear()
    this.#responseStarted = false
    this.#isErrorPage = false
    this.#pausedUpstream = false
    this.#isInvited = false
    this.#context.stats.requests++
  }

  /** Routes the prepared request and sends it on its way, or answers it. */
  begin(): void {
    const request = this.#request
    const context = this.#context
    const challenge = this.#challenge()
    if (challenge !== undefined) {
      this.answer({ ...engineAnswer(200, 'acme-challenge'), body: challenge })
      return
    }
    const match = context.matcher.match(request.host, request.path)
    if (match === undefined) {
      this.refuse(404, 'no-route')
      return
    }
    const routing = this.#routing
    const answer = routing.take(match, this.#record.requestId, context)
    const authorize = routing.compiled?.authorize
    if (answer !== undefined) this.answer(answer)
    else if (authorize === undefined || routing.view === undefined) this.#forward()
    else this.#authorization.ask(authorize, routing.view, (verdict) => this.#onVerdict(verdict))
  }

  sendBody(bytes: Buffer, from: number, to: number): void {
    this.#record.requestBytes += to - from
    this.#mirroring?.add(bytes, from, to)
    if (this.#isErrorPage) return
    const upstream = this.#upstream
    if (upstream?.isConnected) upstream.sendBytes(bytes, from, to)
    else if (this.#body.add(bytes, from, to)) this.#attempt()
  }

  endBody(trailers: string): void {
    this.#mirroring?.end(this.#context.outside)
    if (this.#isErrorPage) return
    const upstream = this.#upstream
    if (upstream?.isConnected) {
      upstream.sendEnd(trailers)
      upstream.awaitResponse()
    } else if (this.#body.end(trailers)) this.#attempt()
  }

  /** Sends what was added; pauses the client while the pod is slower. */
  flushRequest(): void {
    const upstream = this.#upstream
    if (upstream === undefined || !upstream.isConnected || upstream.flush()) return
    this.#client.pauseRequest()
    upstream.awaitDrain()
  }

  /** The engine's own answer, when nothing of another has been sent. */
  refuse(status: number, reason: string): void {
    if (this.#showErrorPage(status)) return
    this.answer(engineAnswer(status, reason))
  }

  /** An answer that no pod gives. */
  answer(answer: Answer): void {
    this.#drop()
    if (this.#responseStarted) {
      this.isActive = false
      this.#record.reason = 'response-cut-off'
      this.#context.stats.countFailure(this.#record.reason)
      this.#ended()
      this.#client.destroy()
      return
    }
    this.#record.status = answer.status
    this.#record.reason = answer.reason
    this.#record.responseBytes = answer.body.length
    this.#client.sendAnswer(this.#routing.editAnswer(answer))
    this.#client.flush()
    this.#count(answer)
    this.isActive = false
    this.#ended()
    this.#client.onExchangeEnd()
  }

  /** The client is gone. */
  abort(): void {
    this.#drop()
    if (this.isActive && this.#record.status === 0) this.#record.status = CLIENT_GONE
    if (this.isActive || this.isTunnel) this.#ended()
    this.isActive = false
    this.isTunnel = false
  }

  onClientDrain(): void {
    if (!this.#pausedUpstream) return
    this.#pausedUpstream = false
    this.#upstream?.resume()
  }

  sendTunnel(bytes: Buffer, from: number, to: number): void {
    const upstream = this.#upstream
    if (upstream === undefined) return
    this.#record.requestBytes += to - from
    upstream.sendBytes(bytes, from, to)
    if (!upstream.flush()) this.#client.pauseRequest()
  }

  endTunnel(): void {
    if (this.#client.isEnded) this.#client.destroy()
    else this.#upstream?.endTunnel()
  }

  onUpstreamConnect(): void {
    this.#context.stats.upstreamConnects++
    this.#sendHead()
    this.#started()
  }

  onResponseHead(head: ResponseHead): void {
    const client = this.#client
    if (head.status < 200) {
      if (head.status === 101) this.#beginTunnel(head)
      // 100 was our business: the client has had its answer to Expect.
      else if (head.status !== 100) client.sendInterim(head)
      return
    }
    this.#record.upstreamMs = performance.now() - this.#sentMs
    this.#attempts.pool?.onOutcome(isBad(head.status) ? 'bad' : 'ok', this.#record.upstreamMs)
    if (this.#routing.compiled !== undefined && this.#replaces(head.status)) return
    this.#responseStarted = true
    this.#record.status = head.status
    // An answer before the request's end: neither connection can be used again (0.CL attacks).
    if (!client.isRequestComplete) this.#upstream?.spoil()
    this.#routing.editHead(head, this.#isErrorPage ? undefined : this.#attempts.pool)
    client.sendHead(head)
    this.#context.stats.countResponse(head.status)
  }

  onResponseBytes(bytes: Buffer, from: number, to: number): void {
    this.#record.responseBytes += to - from
    this.#client.sendBytes(bytes, from, to)
  }

  onResponseEnd(trailers: string): void {
    this.#upstream = undefined
    this.#body.clear()
    const client = this.#client
    client.sendEnd(trailers)
    client.flush()
    this.isActive = false
    this.#ended()
    client.onExchangeEnd()
  }

  onResponseFlush(): void {
    if (this.#client.flush() || this.#upstream === undefined || this.#pausedUpstream) return
    this.#pausedUpstream = true
    this.#upstream.pause()
    this.#client.awaitDrain()
  }

  onUpstreamDrain(): void {
    if (!this.isActive) return
    if (!this.#client.isRequestComplete) this.#upstream?.awaitClient()
    else this.#upstream?.awaitResponse()
    this.#client.resumeRequest()
  }

  onTunnelBytes(bytes: Buffer, from: number, to: number): void {
    this.#record.responseBytes += to - from
    this.#client.sendBytes(bytes, from, to)
    this.#client.onTunnelBytes()
  }

  onTunnelEnd(): void {
    if (this.#upstream?.isEnded) this.#client.destroy()
    else this.#client.endTunnel()
  }

  onRequestReturned(pieces: readonly Buffer[], trailers: string | undefined): void {
    this.#body.restore(pieces, trailers)
  }

  onUpstreamFailure(failure: UpstreamFailure, silent: boolean): void {
    const isReused = this.#upstream?.isReused === true
    this.#upstream = undefined
    if (this.isTunnel) {
      this.#client.destroy()
      return
    }
    const attempts = this.#attempts
    if (!this.#responseStarted) {
      const isStale = attempts.mayRepeatStale(failure, silent, isReused, this)
      if (!isStale) attempts.pool?.onOutcome(failure === 'refused' ? 'refused' : 'failed', performance.now() - this.#sentMs)
      if ((isStale || attempts.mayTryAnother(failure, this)) && this.#retry(isStale)) return
    }
    const isTimeout = failure === 'connect-timeout' || failure === 'response-timeout'
    this.refuse(isTimeout ? 504 : 502, `upstream-${failure}`)
  }

  #challenge(): string | undefined {
    const { path } = this.#request
    if (path.charCodeAt(1) !== DOT || this.#client.forwarded.isTlsPort) return undefined
    return this.#context.challengeOf(path)
  }

  #onVerdict(verdict: Verdict): void {
    if ('answer' in verdict) {
      this.answer(verdict.answer)
      return
    }
    this.#routing.authorized = verdict
    this.#forward()
    if (this.isConnected) this.#started()
    else if (this.#body.isCollecting) this.#client.resumeRequest()
  }

  #forward(): void {
    if (this.#request.contentLength > this.maxBodyBytes) {
      this.refuse(413, 'body-too-large')
      return
    }
    const routing = this.#routing
    this.#record.backend = routing.backend()
    const state = this.#context.backends.get(this.#record.backend)
    if (state === undefined || state.size === 0) {
      this.refuse(503, state?.unavailable ?? 'no-endpoints')
      return
    }
    const { policy } = routing
    this.#attempts.begin(state, policy?.retry)
    this.#pod.timeouts = undefined
    routing.fill(this.#pod, this.#record.requestId)
    if (this.#context.settings.telemetry.tracing !== undefined) this.#trace(this.#context.settings.telemetry.tracing.sample)
    if (policy?.mirror !== undefined) this.#mirror()
    if (policy?.bufferRequest === true && !this.#client.isRequestComplete) this.#body.collect()
    else this.#attempt()
  }

  #mirror(): void {
    const { compiled, view } = this.#routing
    if (compiled?.mirror === undefined || view === undefined) return
    this.#mirroring ??= new Mirroring()
    this.#mirroring.begin(compiled.mirror(view), this.#pod)
    if (this.#client.isRequestComplete) this.#mirroring.end(this.#context.outside)
  }

  /** Goes on with the client's trace or begins one; the pod's span is a child of ours. */
  #trace(sample: number): void {
    if (this.#routing.policy?.tracing === false) return
    const { fields } = this.#pod
    const trace = beginTrace(fieldValue(fields, 'traceparent'), sample)
    this.#record.trace = trace
    const rest = removeNamed(fields, trace.parentId === '' ? ['traceparent', 'tracestate'] : ['traceparent'])
    this.#pod.fields = `${rest}traceparent: ${traceParentOf(trace)}\r\n`
  }

  /** True when another endpoint or an error page is asked instead of passing this answer on. */
  #replaces(status: number): boolean {
    if (!this.#isErrorPage && this.#attempts.mayReplace(status, this) && this.#retry(false)) return true
    return this.#showErrorPage(status)
  }

  #showErrorPage(status: number): boolean {
    const page = this.#routing.policy?.errorPages
    if (page === undefined || this.#isErrorPage || this.#responseStarted || !page.statuses.includes(status)) return false
    const state = this.#context.backends.get(page.backend)
    if (state === undefined || state.size === 0) return false
    this.#isErrorPage = true
    this.#discard()
    this.#body.clear()
    this.#record.backend = page.backend
    this.#attempts.begin(state, undefined)
    this.#routing.fillErrorPage(this.#pod, this.#record.requestId, { status, labels: page.labels })
    this.#attempt()
    if (this.isConnected) this.#started()
    return true
  }

  /** False when there is no endpoint to try. */
  #retry(isStale: boolean): boolean {
    if (!isStale) this.#attempts.giveUpEndpoint()
    const pool = this.#attempts.next(this.#routing)
    if (pool === undefined) return false
    this.#context.stats.retries++
    this.#discard()
    this.#sendTo(pool, isStale)
    if (this.isConnected) this.#started()
    return true
  }

  #attempt(): void {
    const pool = this.#attempts.next(this.#routing)
    if (pool === undefined) this.refuse(503, 'no-endpoints')
    else this.#sendTo(pool, false)
  }

  #sendTo(pool: EndpointPool, isFresh: boolean): void {
    const idle = isFresh ? undefined : pool.takeIdle(this)
    if (idle === undefined) {
      this.#sentMs = performance.now()
      this.#upstream = pool.connect(this)
      return
    }
    this.#upstream = idle
    this.#sendHead()
    this.#invite()
  }

  /** A client that expects it is told once that a pod is there for its body. */
  #invite(): void {
    const client = this.#client
    if (!this.#request.expectsContinue || this.#isInvited || client.isRequestComplete || client.hasBodyBytes) return
    this.#isInvited = true
    client.sendContinue()
    client.flush()
  }

  /** The head is on its way: the rest of the request may follow. */
  #started(): void {
    this.flushRequest()
    const client = this.#client
    if (client.isRequestComplete) return
    this.#invite()
    if (!this.isBlocked) client.resumeRequest()
  }

  #sendHead(): void {
    const upstream = this.#upstream
    if (upstream === undefined) return
    this.#sentMs = performance.now()
    upstream.sendHead(this.#pod)
    if (!this.#isErrorPage && !this.#request.isBodiless) this.#body.sendTo(upstream)
    if (this.#client.isRequestComplete || this.#isErrorPage) upstream.awaitResponse()
  }

  #beginTunnel(head: ResponseHead): void {
    this.isTunnel = true
    this.#responseStarted = true
    this.#record.status = 101
    this.#client.beginTunnel(head)
    this.#context.stats.countResponse(101)
    this.#context.stats.tunnels++
  }

  /** Lets go of what is in progress, and of a policy's count of it. */
  #drop(): void {
    const upstream = this.#upstream
    this.#upstream = undefined
    this.#body.clear()
    this.#mirroring?.clear()
    this.#authorization.cancel()
    upstream?.abandon()
  }

  #discard(): void {
    const upstream = this.#upstream
    this.#upstream = undefined
    upstream?.discard()
  }

  #count({ status, reason }: Answer): void {
    const { stats, report } = this.#context
    stats.countResponse(status)
    if (status < 400) return
    stats.countFailure(reason)
    const { method, host, path } = this.#request
    report({ status, reason, method, host, path, target: this.#routing.target })
  }

  #ended(): void {
    this.#routing.release()
    this.#context.observer?.onExchangeEnd(this.#record)
  }
}

const isBad = (status: number): boolean => status >= 502 && status <= 504
