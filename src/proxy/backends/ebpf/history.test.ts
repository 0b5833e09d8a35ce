import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IPFamily } from '../../../ip/index.ts'
import { type FakeBpf, fakeBpf } from '../../../kernel/bpf/testing/index.ts'
import { fakeNft } from '../../../kernel/nft/testing/index.ts'
import { decide, type Forwarding, type NodeView, type Packet } from '../../../model/index.ts'
import type { Backend } from '../../backend.ts'
import { drawStep, forwardingOf, nodeOf, packetsTo, type Step } from '../../testing/small-world.ts'
import { createNftablesBackend } from '../nftables/index.ts'
import { createEbpfBackend } from './index.ts'
import { NODE_COOKIE, type SocketWorld, socketWorld } from './testing/index.ts'

/** Every source of class pod in both families. */
const PODS = [1, 99].flatMap((last) => [`10.1.1.${last}`, `fd00:1::${last.toString(16)}`])

interface World {
  readonly bpf: FakeBpf
  readonly sockets: SocketWorld
  /** What the next random choice is: for nftables a share of the whole, for programs a number of which the rest counts. */
  readonly roll: { share: number; number: number }
  newBackend(): Backend
}

const openWorld = (): World => {
  const roll = { share: 0, number: 0 }
  const bpf = fakeBpf({ random: () => roll.number / 2 ** 32, cookie: NODE_COOKIE })
  const nft = fakeNft(() => roll.share)
  const newBackend = () => createEbpfBackend({ bpf, inner: createNftablesBackend({ nft, serviceCIDRs: [] }) })
  return { bpf, sockets: socketWorld({ bpf, nft, pods: PODS }), roll, newBackend }
}

/** By the model: where packets may go, and that nobody goes elsewhere; without affinity, that every candidate is reached. */
const compare = (world: World, forwarding: Forwarding, { family, node }: { family: IPFamily; node: NodeView }): void => {
  for (const packet of packetsTo({ family, node }, forwarding)) {
    // Somebody outside may also be on this machine: a container that is no pod.
    for (const isHere of packet.source.class === 'outside' ? [false, true] : [true])
      comparePacket(world, forwarding, { packet, node, isHere })
  }
}

const comparePacket = (
  { sockets, roll }: World,
  forwarding: Forwarding,
  { packet, node, isHere }: { readonly packet: Packet; readonly node: NodeView; readonly isHere: boolean },
): void => {
  const verdict = decide(forwarding, packet, node)
  const count = verdict.kind === 'dnat' ? verdict.candidates.length : 1
  const seen = new Set<string>()
  for (let turn = 0; turn < Math.max(2, count); turn++) {
    roll.share = ((turn % count) + 0.5) / count
    roll.number = turn
    const outcome = sockets.send(packet, node, isHere)
    seen.add(outcome.kind === 'reached' ? outcome.endpoint : outcome.kind)
    if (outcome.kind !== 'reached' || verdict.kind !== 'dnat') continue
    const candidate = verdict.candidates.find(({ address, port }) => outcome.endpoint === `${address}:${port}`)
    // Nothing is masqueraded where a socket talks to the endpoint itself.
    const isMasqueraded = outcome.by === undefined && candidate?.masquerade
    expect(outcome.source !== packet.source.address, JSON.stringify(packet)).toBe(isMasqueraded === true)
  }
  const wanted =
    verdict.kind === 'dnat'
      ? verdict.candidates.map(({ address, port }) => `${address}:${port}`)
      : [verdict.kind === 'drop' ? 'dropped' : 'refused']
  const isAffine = verdict.kind === 'dnat' && verdict.matched.port.affinityTimeoutSeconds !== undefined
  if (isAffine) expect(wanted, JSON.stringify(packet)).toEqual(expect.arrayContaining([...seen]))
  if (isAffine) expect(seen.size).toBe(1)
  else expect(seen, JSON.stringify(packet)).toEqual(new Set(wanted))
}

const untilDone = async (sync: () => Promise<void>): Promise<void> => {
  for (let attempt = 0; attempt < 5; attempt++) {
    const isDone = await sync().then(
      () => true,
      () => false,
    )
    if (isDone) return
  }
  throw new Error('sync never succeeds')
}

interface Interrupted {
  readonly step: Step
  /** After how many changes of maps and programs one fails. */
  readonly failAfter: number
}

const drawInterrupted = fc.record({ step: drawStep, failAfter: fc.integer({ min: 0, max: 40 }) })

const live = async (world: World, steps: readonly Interrupted[], { family, node }: { family: IPFamily; node: NodeView }) => {
  const wanted = new Map<string, Forwarding>()
  let backend = world.newBackend()
  await backend.sync({ full: true, set: [], delete: [], node })
  for (const { step, failAfter } of steps) {
    if (step.kind === 'restart') {
      world.bpf.crash()
      backend = world.newBackend()
    }
    if (step.kind === 'fail') world.bpf.failAfter(failAfter)
    if (step.kind === 'flush') world.bpf.detachAll()
    const set = step.kind === 'set' ? [forwardingOf({ family, node }, step.drawn)] : []
    const gone = step.kind === 'delete' ? [`${family} default/s${step.index}`] : []
    for (const key of gone) wanted.delete(key)
    for (const forwarding of set) wanted.set(forwarding.key, forwarding)
    const full = step.kind === 'restart' || step.kind === 'flush'
    const change = full ? { full, set: [...wanted.values()], delete: [], node } : { full, set, delete: gone, node }
    await untilDone(() => backend.sync(change))
    for (const forwarding of wanted.values()) compare(world, forwarding, { family, node })
  }
  return [...wanted.values()]
}

/** The filled maps without what may differ by history: numbers and slots. */
const contents = ({ bpf }: World) => {
  const count = (name: string): number => {
    const [map] = [...bpf.maps.values()].filter(({ spec }) => spec.name === name)
    return map?.read().size ?? 0
  }
  return Object.fromEntries(['fw_frontends', 'fw_slots', 'fw_members'].map((name) => [name, count(name)]))
}

describe.each(['IPv4', 'IPv6'] as const)('ebpf after any history, %s', (family) => {
  it('leads every socket where the model says, finds all in place after a restart, and holds no more than a fresh load', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(drawInterrupted, { minLength: 1, maxLength: 10 }),
        fc.boolean(),
        fc.boolean(),
        async (steps, hasPods, all) => {
          const node = nodeOf(family, hasPods, all)
          const world = openWorld()
          const set = await live(world, steps, { family, node })
          world.bpf.failAfter(undefined)
          const before = world.bpf.writes
          world.bpf.crash()
          await world.newBackend().sync({ full: true, set, delete: [], node })
          expect(world.bpf.writes).toBe(before)
          const fresh = openWorld()
          await fresh.newBackend().sync({ full: true, set, delete: [], node })
          expect(contents(world)).toEqual(contents(fresh))
        },
      ),
      { numRuns: 25 },
    )
  }, 60_000)
})
