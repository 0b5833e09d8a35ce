import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IPFamily } from '../ip/index.ts'
import { decide, type Forwarding, type NodeView, type Packet } from '../model/index.ts'
import type { Outcome } from './backend.conformance.ts'
import type { Backend } from './backend.ts'
import { type DrawnService, drawStep, forwardingOf, nodeOf, type Place, packetsTo, type Step } from './testing/small-world.ts'

/** A fake kernel with the backend of one mode on it, for one history. */
export interface HistoryWorld {
  /** A backend as after a start: it knows nothing but what the kernel holds. */
  newBackend(): Backend
  send(packet: Packet, node: NodeView): Outcome | Promise<Outcome>
  /** What every random choice is from now on: 0 <= value < 1 of the whole. */
  roll(value: number): void
  /** The next write to the kernel fails, having done nothing. */
  failNext(): void
  clearFailures(): void
  /** Another program removes what the kernel holds. */
  flush(): void
  /** What the kernel holds, in an order of its own and without what may differ by history (such as which slot an endpoint has). */
  contents(family: IPFamily): Promise<unknown>
  /** How many times something was written that was not there already. */
  changes(): number
}

/**
 * After any history of changes, failures, foreign flushes and restarts: every packet goes where the model lets it, the kernel holds what a
 * fresh full load would put there, and a restart writes nothing. What a mode cannot do is what its `supports` lacks.
 */
export const historyConformance = (
  name: string,
  open: () => HistoryWorld,
  { runs = 60 }: { readonly runs?: number } = {},
): void => {
  describe.each(['IPv4', 'IPv6'] as const)(`${name} after any history, %s`, (family) => {
    it('does with every packet what the model says, and holds what a fresh full load holds', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(drawStep, { minLength: 1, maxLength: 12 }),
          fc.boolean(),
          fc.boolean(),
          async (steps, hasPods, all) => {
            const node = nodeOf(family, hasPods, all)
            const world = open()
            const wanted = await live(world, steps, { family, node })
            world.clearFailures()
            await checkRestart(world, [...wanted.values()], node)
            await checkFresh(world, open(), { set: [...wanted.values()], node, family })
          },
        ),
        { numRuns: runs },
      )
    }, 60_000)
  })
}

/** Lives through the steps and compares packets after each; gives what is wanted at the end. */
const live = async (
  world: HistoryWorld,
  steps: readonly Step[],
  { family, node }: Place,
): Promise<ReadonlyMap<string, Forwarding>> => {
  const wanted = new Map<string, Forwarding>()
  let backend = world.newBackend()
  await backend.sync({ full: true, set: [], delete: [], node })
  for (const each of steps) {
    if (each.kind === 'restart') backend = world.newBackend()
    if (each.kind === 'fail') world.failNext()
    if (each.kind === 'flush') world.flush()
    const set = each.kind === 'set' ? [forwardingOf({ family, node }, carriable(each.drawn, backend))] : []
    const gone = each.kind === 'delete' ? [`${family} default/s${each.index}`] : []
    for (const key of gone) wanted.delete(key)
    for (const forwarding of set) wanted.set(forwarding.key, forwarding)
    const full = each.kind === 'restart' || each.kind === 'flush'
    const change = full ? { full, set: [...wanted.values()], delete: [], node } : { full, set, delete: gone, node }
    await untilDone(() => backend.sync(change))
    for (const forwarding of wanted.values()) await compare({ world, backend }, forwarding, { family, node })
  }
  return wanted
}

/** A mode without SCTP is asked for the rest. */
const carriable = (drawn: DrawnService, { supports }: Backend): DrawnService => {
  if (supports.has('SCTP')) return drawn
  const protocols = drawn.protocols.filter((each) => each !== 'SCTP')
  return { ...drawn, protocols: protocols.length === 0 ? ['TCP'] : protocols }
}

/** As the controller does; failures that no commit met so far may wait for this one. */
const untilDone = async (sync: () => Promise<void>): Promise<void> => {
  for (let attempt = 0; attempt < 20; attempt++) {
    const isDone = await sync().then(
      () => true,
      () => false,
    )
    if (isDone) return
  }
  throw new Error('sync never succeeds')
}

/** A restarted backend finds nothing to change. */
const checkRestart = async (world: HistoryWorld, set: readonly Forwarding[], node: NodeView): Promise<void> => {
  const before = world.changes()
  await world.newBackend().sync({ full: true, set, delete: [], node })
  expect(world.changes()).toBe(before)
}

const checkFresh = async (
  world: HistoryWorld,
  fresh: HistoryWorld,
  { set, node, family }: Place & { readonly set: readonly Forwarding[] },
): Promise<void> => {
  await fresh.newBackend().sync({ full: true, set, delete: [], node })
  expect(await world.contents(family)).toEqual(await fresh.contents(family))
}

/** Compares where packets may go with the model; without affinity also that every candidate is reached. */
const compare = async (
  { world, backend }: { readonly world: HistoryWorld; readonly backend: Backend },
  forwarding: Forwarding,
  { family, node }: Place,
): Promise<void> => {
  for (const packet of packetsTo({ family, node }, forwarding)) {
    const verdict = decide(forwarding, packet, node)
    if (verdict.kind === 'reject' && verdict.matched === undefined && !backend.supports.has('RejectsUndefinedPorts')) continue
    const count = verdict.kind === 'dnat' ? verdict.candidates.length : 1
    const seen = new Set<string>()
    for (let turn = 0; turn < count; turn++) {
      world.roll((turn + 0.5) / count)
      const outcome = await world.send(packet, node)
      seen.add(outcome.kind === 'reached' ? `${outcome.endpoint} ${outcome.source !== packet.source.address}` : outcome.kind)
    }
    const wanted = new Set(
      verdict.kind === 'dnat'
        ? verdict.candidates.map(({ address, port: number, masquerade }) => `${address}:${number} ${masquerade}`)
        : [verdict.kind === 'drop' ? 'dropped' : 'refused'],
    )
    const isAffine = verdict.kind === 'dnat' && verdict.matched.port.affinityTimeoutSeconds !== undefined
    if (isAffine) expect([...wanted], JSON.stringify(packet)).toEqual(expect.arrayContaining([...seen]))
    if (isAffine) expect(seen.size).toBe(1)
    else expect(seen, JSON.stringify(packet)).toEqual(wanted)
  }
}
