import { errorMessage } from '../../../base/index.ts'
import { HostError } from '../../../host/index.ts'
import type { Iptables, Place } from '../../../kernel/iptables/index.ts'
import type { Forwarding } from '../../../model/index.ts'
import type { Change, Drift } from '../../backend.ts'
import { driftOf, transactionOf } from './diff.ts'
import type { Step } from './diff-steps.ts'
import { CANARY, type LayoutOptions, owns, TABLES } from './layout.ts'
import { createTold, type Refused, type Told } from './record.ts'

/** One family's rules in the kernel. */
export interface FamilyRules {
  /** Gives the Services that the kernel refuses; the others are carried. */
  sync(change: Change): Promise<Refused>
  /** Reads the kernel back and puts right what differs from what was told. */
  audit(signal?: AbortSignal): Promise<readonly Drift[]>
  /** Whether the canary chains are as they were written; others that flush a table take them along. */
  isFlushed(): Promise<boolean>
  readonly told: Told
}

/** What does not change while the backend lives. */
export type FamilyOptions = Omit<LayoutOptions, 'node'> & {
  readonly iptables: Iptables
  readonly place: Place
}

export const createFamilyRules = (options: FamilyOptions): FamilyRules => {
  const { iptables, place } = options
  const told = createTold(options)
  const kernel = createKernel(options, told)
  return {
    async sync(change) {
      if (!kernel.isSure || change.full) await kernel.adopt()
      const refused = told.record(change)
      if ((await kernel.tryWrite()) === 'written') return refused
      // Somebody may have changed the kernel meanwhile.
      await kernel.adopt()
      const again = await kernel.tryWrite()
      if (again !== 'written') await isolate({ told, kernel, refused }, again)
      return refused
    },
    async audit(signal) {
      if (told.layout === undefined) return []
      signal?.throwIfAborted()
      await kernel.adopt(signal)
      const tool = `${place.family === 'IPv4' ? 'iptables' : 'ip6tables'} (${place.flavour})`
      return (await kernel.write()).map((step) => driftOf(step, tool))
    },
    async isFlushed() {
      if (told.layout === undefined) return false
      for (const table of TABLES) if (!(await iptables.hasRules(place, table, CANARY))) return true
      return false
    },
    told,
  }
}

interface Kernel {
  /** Whether the books say what the kernel has; not before the first change, nor after one that failed. */
  readonly isSure: boolean
  /** Aborting `signal` ends the reading, with its reason. */
  adopt(signal?: AbortSignal): Promise<void>
  /** Writes the difference and gives it. */
  write(): Promise<readonly Step[]>
  /** As write; where the kernel refuses a rule, what was refused and why. Other failures reject. */
  tryWrite(): Promise<'written' | Refusal>
}

interface Refusal {
  readonly error: HostError
  /** Keys of the Services that the difference was of. */
  readonly owners: ReadonlySet<string>
}

const createKernel = ({ iptables, place }: FamilyOptions, { books }: Told): Kernel => {
  let isSure = false
  const writeSteps = async (steps: readonly Step[]): Promise<void> => {
    isSure = false
    if (steps.length > 0) await iptables.restore(place, transactionOf(steps))
    books.committed()
    isSure = true
  }
  return {
    get isSure() {
      return isSure
    },
    async adopt(signal) {
      const chains = await iptables.read(place, owns, signal)
      signal?.throwIfAborted()
      books.adopt(chains)
    },
    async write() {
      const steps = books.difference()
      await writeSteps(steps)
      return steps
    },
    async tryWrite() {
      const steps = books.difference()
      try {
        await writeSteps(steps)
        return 'written'
      } catch (error) {
        if (!isRefusal(error)) throw error
        return { error, owners: new Set(steps.flatMap(({ owner }) => (owner === undefined ? [] : [owner]))) }
      }
    },
  }
}

/** A lock that was not given, a privilege or memory that is missing, is nobody's rule. */
const isRefusal = (error: unknown): error is HostError =>
  error instanceof HostError &&
  error.code === 'EEXIT' &&
  !/permission denied|must be root|xtables lock|temporarily|memory|buffer/i.test(error.stderr)

interface Isolation {
  readonly told: Told
  readonly kernel: Kernel
  readonly refused: Refused
}

/** Finds the Services whose rules the kernel refuses, and carries the others. Rejects when it is no Service's fault. */
const isolate = async (isolation: Isolation, { error, owners }: Refusal): Promise<void> => {
  const { told, kernel } = isolation
  const suspects = [...owners].flatMap((key) => told.carried.get(key)?.forwarding ?? [])
  if (suspects.length === 0) throw error
  try {
    for (const { key } of suspects) told.drop(key)
    await kernel.adopt()
    await kernel.write()
    await carryHalves(isolation, suspects)
  } catch (failure) {
    // Nothing is forgotten by a failure: the next change tries all of them again.
    for (const forwarding of suspects) {
      if (!told.carried.has(forwarding.key) && !isolation.refused.has(forwarding.key)) told.take(forwarding)
    }
    throw failure
  }
}

const carryHalves = async (isolation: Isolation, suspects: readonly Forwarding[]): Promise<void> => {
  const { told, kernel, refused } = isolation
  for (const forwarding of suspects) told.take(forwarding)
  const result = await kernel.tryWrite()
  if (result === 'written') return
  for (const { key } of suspects) told.drop(key)
  await kernel.adopt()
  await kernel.write()
  const [only] = suspects
  if (suspects.length === 1 && only !== undefined) {
    const reason = `the kernel refuses its rules: ${oneLine(result.error)}; it is tried again`
    refused.set(only.key, { forwarding: only, reason })
    return
  }
  const half = suspects.length >> 1
  await carryHalves(isolation, suspects.slice(0, half))
  await carryHalves(isolation, suspects.slice(half))
}

const oneLine = (error: HostError): string =>
  errorMessage(error)
    .replace(/\s*\n\s*/g, ' ')
    .slice(0, 500)
