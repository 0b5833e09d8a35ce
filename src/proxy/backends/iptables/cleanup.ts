import {
  type Command,
  type Iptables,
  type Place,
  PROBE_CHAIN,
  type ReadChain,
  type TableName,
} from '../../../kernel/iptables/index.ts'
import { CANARY, CANARY_SIGNATURE, isEntry, owns, TABLES } from './layout.ts'

/**
 * Removes what this mode wrote, in both flavours and families. kube-proxy's chains have the same names: where none of our canaries is, they stay.
 * A chain that rules of others lead to is only emptied.
 */
export const cleanUp = async (iptables: Iptables): Promise<void> => {
  for (const place of await places(iptables)) {
    const found = await readable(iptables, place)
    const isOurs = isSigned(found)
    const ours = found.filter(({ isOwned, chain }) => isOwned && (isOurs || chain === PROBE_CHAIN))
    const entries = isOurs ? found.filter(({ isBuiltIn }) => isBuiltIn) : []
    if (ours.length > 0)
      await iptables.restore(
        place,
        TABLES.map((table) => ({ table, commands: removal({ table, ours, entries, found }) })),
      )
  }
}

/** What {@link cleanUp} would remove, in the words of the tools. */
export const iptablesLeftovers = async (iptables: Iptables): Promise<readonly string[]> => {
  const leftovers: string[] = []
  for (const place of await places(iptables)) {
    const found = await readable(iptables, place)
    if (!isSigned(found)) continue
    for (const table of TABLES) {
      const count = found.filter((each) => each.isOwned && each.table === table).length
      if (count > 0) leftovers.push(`${count} KUBE chains in table ${table} (${place.flavour}, ${place.family})`)
    }
  }
  return leftovers
}

const places = async (iptables: Iptables): Promise<readonly Place[]> =>
  (await iptables.available()).flatMap((flavour) => (['IPv4', 'IPv6'] as const).map((family) => ({ flavour, family })))

/** A kernel without a flavour or family has nothing to clean in it. */
const readable = (iptables: Iptables, place: Place): Promise<readonly ReadChain[]> =>
  iptables.read(place, owns).catch((error: unknown) => {
    if (error instanceof Error && /not supported|does not exist|Protocol wrong/i.test(error.message)) return []
    throw error
  })

const isSigned = (found: readonly ReadChain[]): boolean =>
  found.some(({ chain, rules }) => chain === CANARY && rules.some(({ rule }) => rule?.comment === CANARY_SIGNATURE))

interface Removal {
  readonly table: TableName
  readonly ours: readonly ReadChain[]
  /** The kernel's own chains. */
  readonly entries: readonly ReadChain[]
  readonly found: readonly ReadChain[]
}

const removal = ({ table, ours, entries, found }: Removal): readonly Command[] => {
  const jumps = entries
    .filter((each) => each.table === table)
    .flatMap(({ chain, rules }) =>
      rules
        .filter(({ text }) => isEntry(targetOf(text)))
        .map(({ text }) => ({ kind: 'delete rule' as const, chain, rule: text })),
    )
  const kept = new Set(
    found
      .filter((each) => each.table === table && !each.isOwned)
      .flatMap(({ isBuiltIn, rules }) =>
        rules.map(({ text }) => targetOf(text)).filter((target) => !(isBuiltIn && isEntry(target))),
      ),
  )
  const chains = ours
    .filter((each) => each.table === table)
    .map(({ chain }) =>
      kept.has(chain) ? { kind: 'set chain' as const, chain, rules: [] } : { kind: 'delete chain' as const, chain },
    )
  return [...jumps, ...chains]
}

const targetOf = (text: string): string => / -[jg] (\S+)/.exec(` ${text}`)?.[1] ?? ''
