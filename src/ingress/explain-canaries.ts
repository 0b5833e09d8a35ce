import { compileCanaries } from '../l7/index.ts'
import { type Backend, canonicalHost, type RouteTable, type Target } from '../l7/table/index.ts'

/** A canary of the chosen route, and which requests it takes. */
export interface ExplainedCanary {
  readonly ingress: string
  readonly service: string | undefined
  readonly backend: Backend | undefined
  /** `this-request`: by its header or cookie; a share of the rest, 0 to 1, otherwise. */
  readonly takes: 'this-request' | number
}

/** What a canary may ask of a request. */
export interface AskedRequest {
  readonly method: string
  readonly authority: string
  readonly path: string
  readonly query: string
  readonly isTls: boolean
  /** Field lines as the user gave them, such as `X-Canary: always`. */
  readonly headers: readonly string[]
}

/** Decided by the very code of the engine; chance is shown as a share. */
export const explainCanaries = (target: Target, table: RouteTable, asked: AskedRequest): readonly ExplainedCanary[] => {
  const canaries = target.policy?.canaries ?? []
  const request = {
    ...asked,
    host: canonicalHost(asked.authority) ?? '',
    isSecure: asked.isTls,
    clientAddress: '',
    requestId: '',
    captures: undefined,
    field: (name: string) => fieldOf(asked.headers, name),
  }
  const never = (): number => 1
  const taken = compileCanaries(canaries, never)(request)
  return canaries.map((canary) => {
    const { backend, labels, weight = 0, total = 100 } = canary
    const isRefused = compileCanaries([{ ...canary, weight: 1, total: 1 }], () => 0)(request) === undefined
    return {
      ingress: labels['ingress'] ?? '',
      service: labels['service'],
      backend: table.backends.get(backend),
      takes: taken?.backend === backend ? 'this-request' : taken !== undefined || isRefused ? 0 : weight / total,
    }
  })
}

const fieldOf = (headers: readonly string[], name: string): string | undefined => {
  const values = headers.flatMap((line) => {
    const colon = line.indexOf(':')
    return line.slice(0, colon).trim().toLowerCase() === name ? [line.slice(colon + 1).trim()] : []
  })
  return values.length === 0 ? undefined : values.join(name === 'cookie' ? '; ' : ', ')
}
