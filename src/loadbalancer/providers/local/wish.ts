import { formatAddress, type IPFamily, parseAddress } from '../../../ip/index.ts'
import type { Owner, Problem } from '../../provider.ts'

/** Addresses that a Service asks for, one of each family at most. */
export const ADDRESSES_ANNOTATION = 'loadbalancer.fairway.dev/addresses'
/** The pool that it asks for. */
export const POOL_ANNOTATION = 'loadbalancer.fairway.dev/pool'
/** Services with the same value share an address. */
export const SHARE_ANNOTATION = 'loadbalancer.fairway.dev/allow-shared-ip'

/** What a load balancer needs of the pools. */
export interface Wish {
  readonly families: readonly IPFamily[]
  /** Whether it takes fewer families than it names, but at least one. */
  readonly takesFewer: boolean
  /** By family. */
  readonly asked: ReadonlyMap<IPFamily, string>
  readonly pool: string | undefined
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

/** From its first owner; a Service that asks for addresses speaks for those that do not. */
export const wishOf = (owners: readonly Owner[]): { readonly wish: Wish; readonly problems: readonly Problem[] } | undefined => {
  const [first] = owners
  if (first === undefined) return undefined
  const asking = owners.find((owner) => askedText(owner) !== '') ?? first
  const { asked, problems } = readAsked(asking)
  const pool = owners.map(({ annotations }) => annotations[POOL_ANNOTATION]).find((name) => name !== undefined && name !== '')
  const wish: Wish = {
    families: first.ipFamilies,
    takesFewer: first.ipFamilyPolicy !== 'RequireDualStack',
    asked,
    pool,
    namespace: first.namespace,
    labels: first.labels,
  }
  return { wish, problems }
}

const askedText = ({ annotations, loadBalancerIP }: Owner): string => annotations[ADDRESSES_ANNOTATION] || loadBalancerIP || ''

const readAsked = (owner: Owner) => {
  const asked = new Map<IPFamily, string>()
  const problems: Problem[] = []
  for (const part of askedText(owner)
    .split(',')
    .map((each) => each.trim())) {
    if (part === '') continue
    const address = parseAddress(part)
    if (address === undefined || asked.has(address.family)) {
      const what = address === undefined ? 'is not an address' : 'is a second address of its family'
      problems.push({
        reason: 'InvalidAddress',
        message: `${JSON.stringify(part.slice(0, 64))} ${what}; ask for one of each family, such as 192.0.2.1`,
      })
    } else asked.set(address.family, formatAddress(address))
  }
  return { asked, problems }
}
