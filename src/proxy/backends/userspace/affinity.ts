import type { Target } from '../../../model/index.ts'

/** Which endpoint each client uses, for one Service port over all its frontends. */
export interface AffinityTable {
  /** The client's endpoint if it is remembered and among `candidates`; that renews it. */
  recall(client: string, candidates: readonly Target[]): Target | undefined
  /** As `recall`, without renewing. */
  peek(client: string, candidates: readonly Target[]): Target | undefined
  remember(client: string, target: Target): void
  setTimeout(timeoutMs: number): void
  readonly size: number
}

/** As the kernel's: bounded, so that a scan over many source addresses costs memory only up to here. */
const MAX_CLIENTS = 65_536

/** Entries are kept in the order of their use, so expired ones are at the front and nothing needs a timer. */
export const createAffinityTable = (timeoutMs: number, now: () => number): AffinityTable => {
  const entries = new Map<string, { readonly target: Target; readonly usedAt: number }>()
  let limitMs = timeoutMs
  const remember = (client: string, target: Target): void => {
    const at = now()
    entries.delete(client)
    entries.set(client, { target, usedAt: at })
    for (const [oldest, { usedAt }] of entries) {
      if (at - usedAt < limitMs && entries.size <= MAX_CLIENTS) break
      entries.delete(oldest)
    }
  }
  const peek = (client: string, candidates: readonly Target[]): Target | undefined => {
    const entry = entries.get(client)
    if (entry === undefined || now() - entry.usedAt >= limitMs) return undefined
    const { address, port } = entry.target
    return candidates.find((candidate) => candidate.address === address && candidate.port === port)
  }
  return {
    recall(client, candidates) {
      const target = peek(client, candidates)
      if (target !== undefined) remember(client, target)
      return target
    },
    peek,
    remember,
    setTimeout(changedMs) {
      limitMs = changedMs
    },
    get size() {
      return entries.size
    },
  }
}
