import { familyOf } from '../ip/index.ts'
import { canonical, type Forwarding, type Frontend, type PortForwarding } from '../model/index.ts'

/** A frontend that a Service asks for and another one has, named `TCP 198.51.100.1 80`. */
interface LostFrontend {
  readonly id: string
  /** Key of the Forwarding that has it. */
  readonly holder: string
}

/**
 * Shares out frontends that several Services ask for (the same externalIP and port, say, or a NodePort and an externalIP that is the node's): the oldest
 * Service has it, and gives it to the next when it goes. So a backend never sees two owners, and all backends agree. Cost follows the change.
 */
export interface Claims {
  /** Replaces what `key` asks for; gives the keys of all Forwardings whose frontends may have changed hands, `key` not among them. */
  update(key: string, wanted: Wanted | undefined): ReadonlySet<string>
  /** The Forwarding without frontends that others have, as it was asked for last. */
  grant(forwarding: Forwarding): { readonly forwarding: Forwarding; readonly lost: readonly LostFrontend[] }
}

interface Wanted {
  readonly createdAt: string
  readonly forwarding: Forwarding
  /** The addresses at which the node serves NodePorts. */
  readonly nodePortAddresses: readonly string[]
}

interface Claimant {
  readonly key: string
  readonly createdAt: string
}

export const createClaims = (): Claims => {
  /** The claimants of each frontend, the holder first. */
  const claimants = new Map<string, readonly Claimant[]>()
  const asked = new Map<string, Asked>()
  return {
    update(key, wanted) {
      const affected = new Set<string>()
      const addresses = wanted === undefined ? [] : addressesOf(wanted)
      const before = asked.get(key)?.ids ?? []
      const after = new Set(wanted === undefined ? [] : placesOf(wanted.forwarding, addresses).map(({ id }) => id))
      const createdAt = wanted?.createdAt ?? ''
      for (const id of new Set([...before, ...after])) {
        const others = (claimants.get(id) ?? []).filter((claimant) => claimant.key !== key)
        const now = after.has(id) ? [...others, { key, createdAt }].sort(bySeniority) : others
        if (now.length === 0) claimants.delete(id)
        else claimants.set(id, now)
        for (const other of others) affected.add(other.key)
      }
      if (after.size === 0) asked.delete(key)
      else asked.set(key, { ids: [...after], addresses })
      return affected
    },
    grant(forwarding) {
      const lost: (LostFrontend & Place)[] = []
      for (const place of placesOf(forwarding, asked.get(forwarding.key)?.addresses ?? [])) {
        const holder = claimants.get(place.id)?.[0]?.key
        if (holder === undefined || holder === forwarding.key) continue
        // Who has the NodePort has it at every address.
        if (lost.some(({ frontend, address }) => frontend === place.frontend && address === undefined)) continue
        lost.push({ ...place, holder })
      }
      return { forwarding: lost.length === 0 ? forwarding : without(forwarding, lost), lost }
    },
  }
}

const bySeniority = (a: Claimant, b: Claimant): number => compare(a.createdAt, b.createdAt) || compare(a.key, b.key)

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

interface Asked {
  readonly ids: readonly string[]
  readonly addresses: readonly string[]
}

/** Where a frontend is asked for. */
interface Place {
  readonly id: string
  readonly frontend: Frontend
  /** Left out where it is a NodePort, whatever the address. */
  readonly address?: string
}

const addressesOf = ({ forwarding: { family }, nodePortAddresses }: Wanted): readonly string[] =>
  [...new Set(nodePortAddresses.map(canonical))].filter((address) => familyOf(address) === family)

/** A NodePort is asked for as such, and at each address of the node. */
const placesOf = ({ family, ports }: Forwarding, addresses: readonly string[]): readonly Place[] =>
  ports.flatMap(({ protocol, frontends }) =>
    frontends.flatMap((frontend): readonly Place[] => {
      const { address, port } = frontend
      const at = (each: string): Place => ({ id: `${protocol} ${each} ${port}`, frontend, address: each })
      if (address !== undefined) return [at(address)]
      return [{ id: `${protocol} NodePort/${family} ${port}`, frontend }, ...addresses.map(at)]
    }),
  )

const without = (forwarding: Forwarding, lost: readonly Place[]): Forwarding => ({
  ...forwarding,
  ports: forwarding.ports.map(
    (port): PortForwarding => ({ ...port, frontends: port.frontends.flatMap((each) => leftOf(each, lost)) }),
  ),
})

const leftOf = (frontend: Frontend, lost: readonly Place[]): readonly Frontend[] => {
  const places = lost.filter((place) => place.frontend === frontend)
  if (places.length === 0) return [frontend]
  if (frontend.address !== undefined || places.some(({ address }) => address === undefined)) return []
  return [{ ...frontend, notAt: places.flatMap(({ address }) => address ?? []) }]
}
