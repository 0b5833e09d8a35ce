import { errorMessage } from '../../../base/index.ts'
import type { Place } from '../../../kernel/iptables/index.ts'
import { type ServerAddress, serverText } from '../../../kernel/ipvs/index.ts'
import { ownServers } from './adopt.ts'
import { isOurChain } from './chains.ts'
import { type Chains, chainChanges, chainsFound, NO_CHAINS } from './diff-chains.ts'
import type { Kernel } from './kernel.ts'
import { isOurSet, isSignatureSet } from './sets.ts'
import { isOurNote, oldSettings, oldTimeouts } from './settings.ts'

/**
 * Removes what this mode made, also what a process left that was killed, and gives settings the values that they had before. Device and sets that carry
 * kube-proxy's names but not our signature (the note of the device, sets and chains of ours) are kube-proxy's and stay.
 */
export const cleanUp = async (kernel: Kernel, excludeCIDRs: readonly string[] = []): Promise<void> => {
  const { chains, servers, sets, note } = await findOwn(kernel, excludeCIDRs)
  for (const [place, found] of chains) await kernel.iptables.restore(place, chainChanges(NO_CHAINS, found))
  await kernel.ipvs.commit(servers.map((server) => ({ kind: 'delete server', server })))
  const destroy = (names: readonly string[]): Promise<void> => kernel.ipset.commit(names.map((set) => ({ kind: 'destroy', set })))
  // What tells that the rest is ours goes last: whoever is interrupted can begin again.
  await destroy(sets.filter((name) => !isSignatureSet(name)))
  if (note !== undefined) {
    await kernel.sysctls.ensure(oldSettings(note))
    const timeouts = oldTimeouts(note)
    if (Object.keys(timeouts).length > 0) await kernel.ipvs.setTimeouts(timeouts)
    await kernel.device.remove()
  }
  await destroy(sets.filter(isSignatureSet))
}

/** What {@link cleanUp} would remove, as the tools name it; changes nothing. */
export interface IpvsLeftovers {
  readonly found: readonly string[]
  /** What could not be looked for, and why. */
  readonly unknown: readonly string[]
}

export const ipvsLeftovers = async (kernel: Kernel, excludeCIDRs: readonly string[] = []): Promise<IpvsLeftovers> => {
  const { chains, servers, sets, note, unknown } = await findOwn(kernel, excludeCIDRs)
  return {
    found: [
      ...(note === undefined ? [] : [`device ${kernel.device.name}`]),
      ...servers.map((server) => `virtual server ${serverText(server)}`),
      ...(sets.length === 0 ? [] : [`${sets.length} sets`]),
      ...chains.map(([{ flavour, family }, { rules }]) => `${rules.size} chains FAIRWAY-IPVS (${flavour}, ${family})`),
    ],
    unknown,
  }
}

interface Own {
  readonly chains: readonly (readonly [Place, Chains])[]
  readonly servers: readonly ServerAddress[]
  readonly sets: readonly string[]
  /** Of our device. */
  readonly note: string | undefined
  readonly unknown: readonly string[]
}

/** What cannot be read is not there as far as this machine lets us know: without its tool or module nothing of it works. */
const findOwn = async (kernel: Kernel, excludeCIDRs: readonly string[]): Promise<Own> => {
  const unknown: string[] = []
  const read = async <Answer>(what: () => Promise<Answer>, otherwise: Answer): Promise<Answer> => {
    try {
      return await what()
    } catch (error) {
      unknown.push(errorMessage(error))
      return otherwise
    }
  }
  const chains: (readonly [Place, Chains])[] = []
  for (const flavour of await read(() => kernel.iptables.available(), [])) {
    for (const family of ['IPv4', 'IPv6'] as const) {
      const found = chainsFound(await read(() => kernel.iptables.read({ flavour, family }, isOurChain), []))
      if (found.rules.size + found.entries.length > 0) chains.push([{ flavour, family }, found])
    }
  }
  const sets = await read(() => kernel.ipset.read(isOurSet), [])
  const device = await read(() => kernel.device.read(), undefined)
  const isOurs = chains.length > 0 || sets.some(({ name }) => isSignatureSet(name)) || isOurNote(device?.note)
  if (!isOurs) return { chains: [], servers: [], sets: [], note: undefined, unknown }
  const servers = await read(() => kernel.ipvs.read(), [])
  return {
    chains,
    servers: ownServers({ sets, servers, device }, excludeCIDRs),
    sets: sets.map(({ name }) => name),
    note: device?.note,
    unknown,
  }
}
