import type { Forwarding } from '../model/index.ts'

/** A frontend that a Service asks for and another one has. */
interface LostFrontend {
  readonly frontend: string
  /** Key of the Forwarding that has it. */
  readonly holder: string
}

/**
 * Shares out frontends that several Services ask for (the same externalIP and port, say): the oldest Service has it, and gives it to the
 * next when it goes. So a backend never sees two owners, and all backends agree. Cost follows the change.
 */
export interface Claims {
  /** Replaces what `key` asks for; gives the keys of all Forwardings whose frontends may have changed hands, `key` not among them. */
  update(key: string, createdAt: string, forwarding: Forwarding | undefined): ReadonlySet<string>
  /** The Forwarding without frontends that others have. */
  grant(forwarding: Forwarding): { readonly forwarding: Forwarding; readonly lost: readonly LostFrontend[] }
}

interface Claimant {
  readonly key: string
  readonly createdAt: string
}

export const createClaims = (): Claims => {
  /** The claimants of each frontend, the holder first. */
  const claimants = new Map<string, readonly Claimant[]>()
  const asked = new Map<string, ReadonlySet<string>>()
  return {
    update(key, createdAt, forwarding) {
      const affected = new Set<string>()
      const before = asked.get(key) ?? new Set<string>()
      const after = new Set(forwarding === undefined ? [] : frontendIds(forwarding))
      for (const id of new Set([...before, ...after])) {
        const others = (claimants.get(id) ?? []).filter((claimant) => claimant.key !== key)
        const now = after.has(id) ? [...others, { key, createdAt }].sort(bySeniority) : others
        if (now.length === 0) claimants.delete(id)
        else claimants.set(id, now)
        for (const other of others) affected.add(other.key)
      }
      if (after.size === 0) asked.delete(key)
      else asked.set(key, after)
      return affected
    },
    grant(forwarding) {
      const lost: LostFrontend[] = []
      for (const id of frontendIds(forwarding)) {
        const holder = claimants.get(id)?.[0]?.key
        if (holder !== undefined && holder !== forwarding.key) lost.push({ frontend: id, holder })
      }
      return {
        forwarding: lost.length === 0 ? forwarding : without(forwarding, new Set(lost.map(({ frontend }) => frontend))),
        lost,
      }
    },
  }
}

const bySeniority = (a: Claimant, b: Claimant): number => compare(a.createdAt, b.createdAt) || compare(a.key, b.key)

const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)

const frontendIds = (forwarding: Forwarding): readonly string[] =>
  forwarding.ports.flatMap(({ protocol, frontends }) =>
    frontends.map(({ address, port }) => frontendId(forwarding, protocol, { address, port })),
  )

const frontendId = (
  { family }: Forwarding,
  protocol: string,
  { address, port }: { readonly address: string | undefined; readonly port: number },
): string => `${protocol} ${address ?? `NodePort/${family}`} ${port}`

const without = (forwarding: Forwarding, lost: ReadonlySet<string>): Forwarding => ({
  ...forwarding,
  ports: forwarding.ports.map((port) => ({
    ...port,
    frontends: port.frontends.filter(
      ({ address, port: number }) => !lost.has(frontendId(forwarding, port.protocol, { address, port: number })),
    ),
  })),
})
