import type { Backend } from '../../../l7/table/index.ts'
import { differs, honoured } from '../annotation.ts'
import { is, isNot, type Parser } from '../grammar/reading.ts'
import { boolean } from '../grammar/scalars.ts'

const PROTOCOLS: Readonly<Record<string, NonNullable<Backend['protocol']>>> = {
  HTTP: 'http',
  HTTPS: 'https',
  GRPC: 'h2c',
  GRPCS: 'h2',
}

const protocol: Parser<NonNullable<Backend['protocol']>> = (text) => {
  const found = Object.hasOwn(PROTOCOLS, text.toUpperCase()) ? PROTOCOLS[text.toUpperCase()] : undefined
  if (found !== undefined) return is(found)
  const why = text === 'FCGI' ? 'HTTP, HTTPS, GRPC or GRPCS (FastCGI is not spoken)' : 'HTTP, HTTPS, GRPC or GRPCS'
  return isNot(text === 'AUTO_HTTP' ? `${why} (a pod is not asked what it speaks)` : why)
}

export const backendProtocolAnnotations = {
  'backend-protocol': honoured(protocol),
  'service-upstream': differs(boolean, 'the ClusterIP is one endpoint: no retries, no affinity'),
} as const

/** What pods speak by `appProtocol` of a Service's port (KEP-3726 and older customs); undefined: nothing that we know. */
export const appProtocol = (text: string | undefined): Backend['protocol'] => {
  switch (text?.toLowerCase()) {
    case 'http':
    case 'kubernetes.io/ws':
      return 'http'
    case 'https':
    case 'kubernetes.io/wss':
      return 'https'
    case 'grpc':
    case 'kubernetes.io/h2c':
      return 'h2c'
    case 'grpcs':
      return 'h2'
    default:
      return undefined
  }
}
