import type { Backend, RoutePolicy } from '../../../l7/table/index.ts'
import { differs, honoured, type ValuesOf } from '../annotation.ts'
import { is, isNot, type Parser } from '../grammar/reading.ts'
import { boolean, integer } from '../grammar/scalars.ts'
import { keyTemplate } from '../grammar/template.ts'

const BALANCES: Readonly<Record<string, NonNullable<Backend['balance']>>> = {
  round_robin: 'round-robin',
  ewma: 'ewma',
  // nginx's own name, which ingress-nginx once passed through.
  least_conn: 'least-requests',
}

const balance: Parser<NonNullable<Backend['balance']>> = (text) => {
  const found = Object.hasOwn(BALANCES, text) ? BALANCES[text] : undefined
  return found === undefined ? isNot(`one of ${Object.keys(BALANCES).join(', ')}`) : is(found)
}

export const balancingAnnotations = {
  'load-balance': honoured(balance),
  'upstream-hash-by': differs(keyTemplate, 'rendezvous in place of ketama: as stable, other endpoints'),
  'upstream-hash-by-subset': honoured(boolean),
  'upstream-hash-by-subset-size': honoured(integer(1, 1_000)),
} as const

type Values = ValuesOf<typeof balancingAnnotations>

export const hashing = (values: Values): RoutePolicy => {
  const key = values['upstream-hash-by']
  if (key === undefined) return {}
  const subset = values['upstream-hash-by-subset'] === true ? (values['upstream-hash-by-subset-size'] ?? 3) : undefined
  return { hashBy: { key, ...(subset && { subset }) } }
}
