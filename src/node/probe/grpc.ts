import { connect } from 'node:http2'
import type { HandlerOutcome } from './outcome.ts'

export interface GrpcCheck {
  readonly host: string
  readonly port: number
  readonly service?: string
}

/** `SERVING` of grpc.health.v1.HealthCheckResponse.ServingStatus. */
const SERVING = 1
const MAX_ANSWER = 1024

/** Asks a server by the gRPC health checking protocol, without TLS, as the kubelet does. Rejects when no answer comes. */
export const grpcCheck = ({ host, port, service = '' }: GrpcCheck, signal: AbortSignal): Promise<HandlerOutcome> =>
  new Promise((resolve, reject) => {
    const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    const session = connect(`http://${authority}`)
    const finish = (settle: () => void): void => {
      signal.removeEventListener('abort', onAbort)
      session.destroy()
      settle()
    }
    const onAbort = (): void => finish(() => reject(new Error('aborted')))
    signal.addEventListener('abort', onAbort, { once: true })
    session.on('error', (error) => finish(() => reject(error)))
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const chunks: Buffer[] = []
    let size = 0
    let status = ''
    stream.on('response', (headers) => {
      status = String(headers['grpc-status'] ?? '')
    })
    stream.on('trailers', (headers) => {
      status = String(headers['grpc-status'] ?? status)
    })
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= MAX_ANSWER) chunks.push(chunk)
    })
    stream.on('error', (error) => finish(() => reject(error)))
    stream.on('end', () => finish(() => resolve(judge(status, Buffer.concat(chunks)))))
    stream.end(frame(encodeRequest(service)))
  })

/** HealthCheckRequest has one field: 1, the service's name. */
const encodeRequest = (service: string): Buffer => {
  const name = Buffer.from(service).subarray(0, 127)
  return name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0x0a, name.length), name])
}

/** gRPC's length-prefixed message, uncompressed. */
const frame = (message: Buffer): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** HealthCheckResponse has one field: 1, a varint; left out it is 0, UNKNOWN. */
const judge = (status: string, answer: Buffer): HandlerOutcome => {
  if (status !== '0' && status !== '') return { ok: false, output: `gRPC status ${status}` }
  const serving = answer.length >= 7 && answer[5] === 0x08 ? answer[6] : 0
  return serving === SERVING ? { ok: true, output: '' } : { ok: false, output: `service unhealthy (responded with ${serving})` }
}
