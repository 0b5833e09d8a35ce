import { UserError } from '../base/index.ts'
import type { IngressController, Explanation as IngressExplanation } from '../ingress/index.ts'
import type { Explanation as ProxyExplanation, Proxy as ServiceProxy } from '../proxy/index.ts'

/** The answer to "where does this go, and why". */
export type ClusterExplanation =
  | { readonly kind: 'ingress'; readonly explanation: IngressExplanation }
  | { readonly kind: 'service'; readonly explanation: ProxyExplanation }

const SOURCES = ['pod', 'node', 'outside'] as const
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const

/** Asks the parts that carry traffic; throws `UserError` for a target that is neither a URL nor `address:port`. */
export const explainTarget =
  (proxy: ServiceProxy, ingress: IngressController) =>
  (query: URLSearchParams): ClusterExplanation => {
    const target = query.get('target') ?? ''
    if (/^https?:\/\//i.test(target)) {
      const explanation = ingress.explain(target, query.getAll('header'))
      if (!explanation) throw new UserError(`"${target}" is not a URL that the Ingress could serve`)
      return { kind: 'ingress', explanation }
    }
    const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(target) ?? []
    const address = bracketed ?? plain
    const explanation =
      address &&
      proxy.explain({
        address,
        port: Number(port),
        protocol: PROTOCOLS.find((protocol) => protocol === query.get('protocol')),
        source: { class: SOURCES.find((source) => source === query.get('from')) },
      })
    if (!explanation) throw new UserError(`"${target}" is neither a URL nor address:port, such as 10.96.0.1:443 or [fd00::1]:443`)
    return { kind: 'service', explanation }
  }
