import type { Scheduler } from '../model.ts'

export interface Candidate {
  readonly address: string
  readonly port: number
  readonly weight: number
  readonly isDead: boolean
}

interface Settings {
  readonly scheduler: Scheduler
  /** How long a client stays with its target after its last connection; 0 for not at all. */
  readonly sessionMs: number
}

/** Whose turn it is, of the targets of one listener. */
export interface Balancer {
  update(candidates: readonly Candidate[], settings: Settings): void
  /** Nobody (undefined) when no target has a weight, or all were tried. */
  choose(client: string, tried?: readonly { readonly address: string; readonly port: number }[]): Candidate | undefined
  opened(target: { readonly address: string; readonly port: number }): void
  closed(target: { readonly address: string; readonly port: number }): void
}

const MAX_SESSIONS = 10_000

export const keyOf = ({ address, port }: { readonly address: string; readonly port: number }): string => `${address} ${port}`

/** `monotonic` in milliseconds. */
export const createBalancer = (monotonic: () => number): Balancer => {
  let candidates: readonly Candidate[] = []
  let settings: Settings = { scheduler: 'WRR', sessionMs: 0 }
  /** Smooth weighted turns, as nginx has them: who is furthest behind its share. */
  const credit = new Map<string, number>()
  const open = new Map<string, number>()
  /** Clients with their target, the one that was silent longest first. */
  const sessions = new Map<string, { readonly key: string; readonly until: number }>()

  const nextInTurn = (usable: readonly Candidate[]): Candidate | undefined => {
    let best: Candidate | undefined
    let total = 0
    for (const one of usable) {
      total += one.weight
      credit.set(keyOf(one), creditOf(one) + one.weight)
      if (best === undefined || creditOf(one) > creditOf(best)) best = one
    }
    if (best !== undefined) credit.set(keyOf(best), creditOf(best) - total)
    return best
  }
  const creditOf = (one: Candidate): number => credit.get(keyOf(one)) ?? 0
  const loadOf = (one: Candidate): number => (open.get(keyOf(one)) ?? 0) / one.weight
  const leastLoaded = (usable: readonly Candidate[]): Candidate | undefined => {
    const least = Math.min(...usable.map(loadOf))
    return nextInTurn(usable.filter((one) => loadOf(one) === least))
  }
  const remembered = (client: string, usable: readonly Candidate[]): Candidate | undefined => {
    const session = sessions.get(client)
    return session !== undefined && session.until > monotonic() ? usable.find((one) => keyOf(one) === session.key) : undefined
  }
  const remember = (client: string, target: Candidate): void => {
    sessions.delete(client)
    sessions.set(client, { key: keyOf(target), until: monotonic() + settings.sessionMs })
    const [oldest] = sessions.keys()
    if (sessions.size > MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest)
  }

  return {
    update: (next, nextSettings) => {
      candidates = next
      settings = nextSettings
      const known = new Set(next.map(keyOf))
      for (const key of credit.keys()) if (!known.has(key)) credit.delete(key)
      if (settings.sessionMs === 0) sessions.clear()
    },
    choose: (client, tried = []) => {
      const usable = usableOf(candidates, tried)
      const chosen =
        (settings.sessionMs > 0 ? remembered(client, usable) : undefined) ??
        (settings.scheduler === 'LEAST_CONN' ? leastLoaded(usable) : nextInTurn(usable))
      if (chosen !== undefined && settings.sessionMs > 0) remember(client, chosen)
      return chosen
    },
    opened: (target) => open.set(keyOf(target), (open.get(keyOf(target)) ?? 0) + 1),
    closed: (target) => {
      const left = (open.get(keyOf(target)) ?? 1) - 1
      if (left > 0) open.set(keyOf(target), left)
      else open.delete(keyOf(target))
    },
  }
}

/** Those with a weight that are not dead; when all are dead, all of them. */
const usableOf = (
  candidates: readonly Candidate[],
  tried: readonly { readonly address: string; readonly port: number }[],
): readonly Candidate[] => {
  const weighted = candidates.filter(({ weight }) => weight > 0)
  const living = weighted.filter(({ isDead }) => !isDead)
  const usable = living.length > 0 ? living : weighted
  return tried.length === 0 ? usable : usable.filter((one) => !tried.some((other) => keyOf(other) === keyOf(one)))
}
