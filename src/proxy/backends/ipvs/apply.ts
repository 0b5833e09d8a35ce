import { errorMessage } from '../../../base/index.ts'
import type { IPFamily } from '../../../ip/index.ts'
import type { Command as SetCommand } from '../../../kernel/ipset/index.ts'
import type { Flavour } from '../../../kernel/iptables/index.ts'
import {
  type Ipvs,
  type Operation,
  type ReadDevice,
  type RealServer,
  realText,
  type ServerAddress,
  serverText,
  type Timeouts,
} from '../../../kernel/ipvs/index.ts'
import type { Drift } from '../../backend.ts'
import { type Found, itemsFound } from './adopt.ts'
import { isOurChain } from './chains.ts'
import type { Difference, Step } from './diff.ts'
import { type Chains, chainChanges, chainDrift, chainsFound, NO_CHAINS } from './diff-chains.ts'
import { setChanges } from './diff-sets.ts'
import type { Item } from './items.ts'
import type { Kernel } from './kernel.ts'
import { isOurSet, SWAP_SET, setsOf } from './sets.ts'
import { noteOf, type Setting, wantedSettings, wrongTimeouts } from './settings.ts'

/** The kernel as this mode has it. */
export interface Live {
  /** Reads everything, makes sets and device ready, and gives what is there of ours. Aborting `signal` ends the reading, with its reason. */
  open(isWanted: (id: string) => boolean, signal?: AbortSignal): Promise<Opened>
  /** In an order in which no packet finds less than before or after. Gives the real servers that the kernel refused. */
  apply(difference: Difference, chains: ReadonlyMap<IPFamily, Chains>): Promise<readonly Refused[]>
}

interface Opened {
  readonly items: readonly Item[]
  /** What was not as it must be and is now. */
  readonly mended: readonly Drift[]
  /** Chains that are not as they shall be; they are mended with the next `apply`. */
  chainDrift(wanted: ReadonlyMap<IPFamily, Chains>): readonly Drift[]
}

export interface LiveOptions {
  readonly kernel: Kernel
  readonly flavour: Flavour
  readonly families: readonly IPFamily[]
  readonly strictARP: boolean
  /** What is left out stays as the system has it. */
  readonly timeouts: Partial<Timeouts>
  /** Virtual servers in these ranges are others', unless they are wanted. */
  readonly excludeCIDRs: readonly string[]
}

export const createLive = (options: LiveOptions): Live => {
  const { kernel, families, flavour } = options
  const chains = new Map<IPFamily, Chains>()
  const readChains = async (family: IPFamily, signal?: AbortSignal): Promise<void> => {
    chains.set(family, chainsFound(await kernel.iptables.read({ flavour, family }, isOurChain, signal)))
  }
  const restore = async (family: IPFamily, wanted: Chains): Promise<void> => {
    const transaction = chainChanges(wanted, chains.get(family) ?? NO_CHAINS)
    if (transaction.length > 0) await kernel.iptables.restore({ flavour, family }, transaction)
    chains.set(family, wanted)
  }
  return {
    async open(isWanted, signal) {
      const [found, settings] = await Promise.all([
        readFound(kernel, signal),
        readSettings(options),
        ...families.map((family) => readChains(family, signal)),
      ])
      signal?.throwIfAborted()
      const mended = await mendSettings(options, found.device, settings)
      const { obstacles, commands, wrong } = setChanges(families.flatMap(setsOf), found.sets)
      // Rules hold their sets: where one must be replaced, they are written anew.
      if (obstacles.length > 0) for (const family of families) await restore(family, NO_CHAINS)
      await kernel.ipset.commit(commands)
      const sets = found.sets.filter(({ name }) => name !== SWAP_SET && !obstacles.includes(name))
      return {
        items: itemsFound({ ...found, sets }, { isWanted, excludeCIDRs: options.excludeCIDRs }),
        mended: [...mended, ...wrong.map(({ name }): Drift => ({ kind: 'changed', what: `set ${name}` }))],
        chainDrift: (wanted) => families.flatMap((family) => driftOf(family, wanted, chains)),
      }
    },
    async apply(difference, wanted) {
      const before = difference.filter(({ kind }) => kind !== 'remove')
      const after = difference.filter(({ kind }) => kind === 'remove')
      const changesChains = families.some((family) => isChanged(family, wanted, chains))
      await kernel.ipset.commit(setCommands(before))
      await kernel.device.change({ add: addressesOf(before), remove: [] })
      const refused = await commitServers(kernel.ipvs, [...operations(before), ...(changesChains ? [] : operations(after))])
      for (const family of families) await restore(family, wanted.get(family) ?? NO_CHAINS)
      if (changesChains) await kernel.ipvs.commit(operations(after))
      await kernel.device.change({ add: [], remove: addressesOf(after) })
      await kernel.ipset.commit(setCommands(after))
      return refused
    },
  }
}

/** A real server that the kernel does not take, as when its address is a network's broadcast address. */
export interface Refused {
  readonly server: ServerAddress
  readonly real: RealServer
}

/** What ipvsadm says of a real server whose address is nobody's (ip_vs_new_dest). */
const NOT_UNICAST = /not unicast/

/** One bad endpoint is no failure: ipvs has done the rest. Which one it was must be read back. */
const commitServers = async (ipvs: Ipvs, operations: readonly Operation[]): Promise<readonly Refused[]> => {
  try {
    await ipvs.commit(operations)
    return []
  } catch (error) {
    const complaints = errorMessage(error)
      .replace(/^ipvsadm --restore: /, '')
      .split('\n')
    if (!complaints.every((line) => NOT_UNICAST.test(line))) throw error
    const there = new Set((await ipvs.read()).flatMap(({ reals, ...server }) => reals.map((real) => pairText(server, real))))
    const missing = operations.flatMap((operation) =>
      operation.kind === 'add real' && !there.has(pairText(operation.server, operation.real)) ? [operation] : [],
    )
    if (missing.length === 0) throw error
    return missing
  }
}

const pairText = (server: ServerAddress, real: RealServer): string => `${serverText(server)} ${realText(real)}`

/** Everything of this mode but chains, which each flavour and family has of its own. */
const readFound = async ({ ipset, ipvs, device }: Kernel, signal?: AbortSignal): Promise<Found> => {
  const [sets, servers, link] = await Promise.all([ipset.read(isOurSet, signal), ipvs.read(signal), device.read()])
  return { sets, servers, device: link }
}

interface ReadSettings {
  readonly wanted: readonly Setting[]
  readonly values: readonly (string | undefined)[]
  /** Where any is wanted. */
  readonly timeouts: Timeouts | undefined
}

const readSettings = async ({ kernel, strictARP, timeouts }: LiveOptions): Promise<ReadSettings> => {
  const wanted = wantedSettings({ strictARP, kernel: await kernel.release() })
  return {
    wanted,
    values: await kernel.sysctls.read(wanted.map(({ name }) => name)),
    timeouts: Object.keys(timeouts).length === 0 ? undefined : await kernel.ipvs.timeouts(),
  }
}

/** The note is written before a setting is changed, so that what was before is never lost. */
const mendSettings = async (
  { kernel: { device, sysctls, ipvs }, timeouts: wantedTimeouts }: LiveOptions,
  link: ReadDevice | undefined,
  { wanted, values, timeouts }: ReadSettings,
): Promise<readonly Drift[]> => {
  const note = noteOf(wanted, { values, timeouts, older: link?.note ?? '' })
  if (link?.note !== note) await device.ensure(note)
  const wrong = wanted.filter(({ value }, index) => values[index] !== undefined && values[index] !== value)
  await sysctls.ensure(Object.fromEntries(wrong.map(({ name, value }) => [name, value])))
  const otherTimeouts = timeouts === undefined ? {} : wrongTimeouts(wantedTimeouts, timeouts)
  const areOther = Object.keys(otherTimeouts).length > 0
  if (areOther) await ipvs.setTimeouts(otherTimeouts)
  return [
    ...(areOther ? [{ kind: 'changed', what: 'timeouts of ipvs' } as const] : []),
    ...(link === undefined ? [{ kind: 'missing', what: `device ${device.name}` } as const] : []),
    ...wrong.map(({ name }): Drift => ({ kind: 'changed', what: `sysctl net/${name}` })),
  ]
}

const isChanged = (family: IPFamily, wanted: ReadonlyMap<IPFamily, Chains>, actual: ReadonlyMap<IPFamily, Chains>): boolean =>
  chainChanges(wanted.get(family) ?? NO_CHAINS, actual.get(family) ?? NO_CHAINS).length > 0

const driftOf = (
  family: IPFamily,
  wanted: ReadonlyMap<IPFamily, Chains>,
  actual: ReadonlyMap<IPFamily, Chains>,
): readonly Drift[] => chainDrift(family, wanted.get(family) ?? NO_CHAINS, actual.get(family) ?? NO_CHAINS)

const setCommands = (steps: readonly Step[]): readonly SetCommand[] =>
  steps.flatMap(({ kind, item }): SetCommand[] =>
    item.kind === 'member' ? [{ kind: kind === 'remove' ? 'delete' : 'add', member: item.member }] : [],
  )

const addressesOf = (steps: readonly Step[]): readonly string[] =>
  steps.flatMap(({ item }) => (item.kind === 'address' ? [item.address] : []))

/** Virtual servers before their real servers, and those that go after theirs. */
const operations = (steps: readonly Step[]): readonly Operation[] => {
  const servers: Operation[] = []
  const reals: Operation[] = []
  const gone: Operation[] = []
  for (const { kind, item } of steps) {
    if (item.kind === 'server') {
      if (kind === 'remove') gone.push({ kind: 'delete server', server: item.server })
      else servers.push({ kind: kind === 'add' ? 'add server' : 'edit server', server: item.server })
    } else if (item.kind === 'real') {
      const { server, real } = item
      if (kind === 'remove') reals.push({ kind: 'delete real', server, real })
      else if (kind === 'drain') reals.push({ kind: 'edit real', server, real: { ...real, weight: 0 } })
      else reals.push({ kind: kind === 'add' ? 'add real' : 'edit real', server, real })
    }
  }
  return [...servers, ...reals, ...gone]
}
