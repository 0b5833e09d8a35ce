import type { Listener, Owner, Problem } from '../../provider.ts'

/** What is known of who was served before. */
export interface Before {
  /** Ports by uid, as far as this process has seen it. */
  readonly ports: ReadonlyMap<string, readonly string[]>
  /** Of the load balancer: whose status has one of them was served by an earlier process. */
  readonly addresses: readonly string[]
}

export interface Shares {
  /** Those that are served at the address. */
  readonly served: readonly Owner[]
  /** Why each of the others is not, by uid. */
  readonly refused: ReadonlyMap<string, Problem>
}

/**
 * Who of the owners may have the address together: their ports must differ, and with policy Local they must have the same endpoints, since one node answers for
 * all. Nobody takes from those that were served before what they have.
 */
export const shareOf = (owners: readonly Owner[], before: Before): Shares => {
  const served: Owner[] = []
  const refused = new Map<string, Problem>()
  const rank = (owner: Owner): number => {
    if (owner.listeners.every((each) => before.ports.get(owner.uid)?.includes(nameOf(each)))) return 0
    return owner.ingress.some(({ ip = '' }) => before.addresses.includes(ip)) ? 1 : 2
  }
  // A stable sort: among equals the oldest first, as they come.
  for (const owner of [...owners].sort((a, b) => rank(a) - rank(b))) {
    const problem = conflict(owner, served)
    if (problem === undefined) served.push(owner)
    else refused.set(owner.uid, problem)
  }
  return { served, refused }
}

/** `TCP 80`. */
export const nameOf = ({ protocol, port }: Listener): string => `${protocol} ${port}`

const conflict = (owner: Owner, served: readonly Owner[]): Problem | undefined => {
  for (const other of served) {
    const port = owner.listeners.find((mine) => other.listeners.some((theirs) => nameOf(theirs) === nameOf(mine)))
    const who = `${other.namespace}/${other.name}`
    if (port !== undefined) {
      return {
        reason: 'PortConflict',
        message: `${nameOf(port)} of the shared address belongs to ${who}; choose another port, or share with nobody`,
      }
    }
    if (!hasSameTraffic(owner, other)) {
      return {
        reason: 'PolicyConflict',
        message: `cannot share an address with ${who}: both need externalTrafficPolicy Cluster, or Local with the same selector`,
      }
    }
  }
  return undefined
}

const hasSameTraffic = (a: Owner, b: Owner): boolean => {
  if (a.externalTrafficPolicy !== b.externalTrafficPolicy) return false
  return a.externalTrafficPolicy === 'Cluster' || selectorText(a) === selectorText(b)
}

/** Services without a selector have endpoints of their own. */
const selectorText = ({ selector, namespace, name }: Owner): string =>
  selector === undefined || Object.keys(selector).length === 0
    ? `${namespace}/${name}`
    : JSON.stringify([namespace, Object.entries(selector).sort(([a], [b]) => (a < b ? -1 : 1))])
