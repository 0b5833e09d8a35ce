import type { DiscoveryForm } from './documents.ts'

/**
 * The form of `/api` and `/apis` that a client prefers: the first of its Accept header that is served. The legacy form where it
 * names none, as every client understands it.
 */
export const negotiateDiscovery = (accept: string | undefined): DiscoveryForm => {
  for (const clause of (accept ?? '').slice(0, 4096).split(',')) {
    const [type = '', ...rest] = clause.split(';').map((part) => part.trim())
    if (type === 'application/json' || type === '*/*' || type === 'application/*') {
      const form = formOf(new Map(rest.map((part) => splitAtEquals(part))))
      if (form !== undefined) return form
    }
  }
  return 'legacy'
}

const formOf = (parameters: ReadonlyMap<string, string>): DiscoveryForm | undefined => {
  if (!parameters.has('as')) return 'legacy'
  if (parameters.get('as') !== 'APIGroupDiscoveryList' || parameters.get('g') !== 'apidiscovery.k8s.io') return undefined
  const version = parameters.get('v')
  return version === 'v2' || version === 'v2beta1' ? version : undefined
}

const splitAtEquals = (part: string): [string, string] => {
  const at = part.indexOf('=')
  return at === -1 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]
}
