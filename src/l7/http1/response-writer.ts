import { answerFields, phraseOf } from '../exchange/answers.ts'
import type { ExchangeClient } from '../exchange/client.ts'
import type { Answer } from '../policy/contract.ts'
import type { ClientCertificate } from '../tls/client-certificate.ts'
import type { Transport } from '../transport.ts'
import { lastChunk } from './chunked.ts'
import type { ForwardedLines } from './forwarded.ts'
import type { RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'

/** The reading side of the same connection. */
export interface RequestReader {
  readonly transport: Transport
  readonly forwarded: ForwardedLines
  readonly certificate: ClientCertificate | undefined
  readonly isRequestComplete: boolean
  readonly hasBodyBytes: boolean
  /** The client may send another request on its connection. */
  readonly mayKeepAlive: boolean
  pauseRequest(): void
  resumeRequest(): void
  awaitDrain(): void
  onAnswered(keepAlive: boolean): void
  onTunnel(): void
  onTunnelBytes(): void
  destroy(): void
}

const Framing = { none: 0, asIs: 1, chunked: 2 } as const

/** Writes the answers of a connection as HTTP/1.1 (RFC 9112), framed as the client's version and method ask. */
export class ResponseWriter implements ExchangeClient {
  readonly protocol = 'http/1.1'
  readonly #reader: RequestReader
  readonly #request: RequestHead
  #framing: number = Framing.none
  #keepAlive = false

  constructor(reader: RequestReader, request: RequestHead) {
    this.#reader = reader
    this.#request = request
  }

  get forwarded(): ForwardedLines {
    return this.#reader.forwarded
  }

  get certificate(): ClientCertificate | undefined {
    return this.#reader.certificate
  }

  get isRequestComplete(): boolean {
    return this.#reader.isRequestComplete
  }

  get hasBodyBytes(): boolean {
    return this.#reader.hasBodyBytes
  }

  get isEnded(): boolean {
    return this.#reader.transport.ended
  }

  pauseRequest(): void {
    this.#reader.pauseRequest()
  }

  resumeRequest(): void {
    this.#reader.resumeRequest()
  }

  awaitDrain(): void {
    this.#reader.awaitDrain()
  }

  sendContinue(): void {
    this.#reader.transport.append('HTTP/1.1 100 Continue\r\n\r\n')
  }

  sendInterim(head: ResponseHead): void {
    if (this.#request.minor === 1) this.#reader.transport.append(`HTTP/1.1 ${head.status} ${head.reason}\r\n${head.fields}\r\n`)
  }

  sendHead(head: ResponseHead): void {
    this.#decideKeepAlive()
    let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n${head.fields}`
    const isBodiless = this.#request.method === 'HEAD' || head.status === 204 || head.status === 304
    this.#framing = Framing.asIs
    if (head.contentLength !== -1) {
      if (head.status !== 204) text += `Content-Length: ${head.contentLength}\r\n`
    } else if (isBodiless) {
      if (head.chunked && head.status !== 204) text += 'Transfer-Encoding: chunked\r\n'
    } else if (this.#request.minor === 1) {
      this.#framing = Framing.chunked
      text += 'Transfer-Encoding: chunked\r\n'
    } else this.#keepAlive = false
    if (isBodiless) this.#framing = Framing.none
    this.#reader.transport.append(`${text}${this.#connectionLine()}\r\n`)
  }

  sendBytes(bytes: Buffer, from: number, to: number): void {
    const { transport } = this.#reader
    if (this.#framing !== Framing.chunked) {
      transport.appendBytes(bytes, from, to)
      return
    }
    transport.append(`${(to - from).toString(16)}\r\n`)
    transport.appendBytes(bytes, from, to)
    transport.append('\r\n')
  }

  sendEnd(trailers: string): void {
    if (this.#framing === Framing.chunked) this.#reader.transport.append(lastChunk(trailers))
  }

  sendAnswer(answer: Answer): void {
    this.#decideKeepAlive()
    const isBodiless = this.#request.method === 'HEAD' || answer.status === 204
    const length = answer.status === 204 ? '' : `Content-Length: ${Buffer.byteLength(answer.body, 'latin1')}\r\n`
    this.#reader.transport.append(
      `HTTP/1.1 ${answer.status} ${phraseOf(answer.status)}\r\n${answerFields(answer)}${length}` +
        `${this.#connectionLine()}\r\n${isBodiless ? '' : answer.body}`,
    )
  }

  flush(): boolean {
    return this.#reader.transport.flush()
  }

  beginTunnel(head: ResponseHead): void {
    this.#framing = Framing.asIs
    this.#reader.transport.append(
      `HTTP/1.1 101 ${head.reason}\r\n${head.fields}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    )
    this.#reader.onTunnel()
  }

  onTunnelBytes(): void {
    this.#reader.onTunnelBytes()
  }

  endTunnel(): void {
    this.#reader.transport.end()
  }

  onExchangeEnd(): void {
    this.#reader.onAnswered(this.#keepAlive)
  }

  destroy(): void {
    this.#reader.destroy()
  }

  #decideKeepAlive(): void {
    const reader = this.#reader
    this.#keepAlive = this.#request.keepAlive && reader.isRequestComplete && reader.mayKeepAlive
  }

  #connectionLine(): string {
    if (!this.#keepAlive) return 'Connection: close\r\n'
    return this.#request.minor === 0 ? 'Connection: keep-alive\r\n' : ''
  }
}
