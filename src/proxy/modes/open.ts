import { errorMessage, UserError } from '../../base/index.ts'
import type { Backend } from '../backend.ts'
import { ebpfMode } from './ebpf.ts'
import { iptablesMode } from './iptables.ts'
import { ipvsMode } from './ipvs.ts'
import type { Leftovers, Mode, ModeDeps, ModeName, OpenedBackend, ProxyMode } from './mode.ts'
import { nftablesMode } from './nftables.ts'
import { userspaceMode } from './userspace.ts'

const MODES: Readonly<Record<ModeName, Mode>> = {
  ebpf: ebpfMode,
  nftables: nftablesMode,
  iptables: iptablesMode,
  ipvs: ipvsMode,
  userspace: userspaceMode,
}

/** The order of `auto`: the first that works. ebpf is for who asks for it: it changes what processes see of their connections. */
const PREFERENCE: readonly ModeName[] = ['nftables', 'iptables', 'userspace']

/** What takes over where a mode cannot be used, although it was named; no other mode is ever replaced. */
const SUBSTITUTES: Partial<Record<ModeName, ModeName>> = { ebpf: 'nftables' }

/**
 * The backend of a mode, not started. `auto` takes the first of nftables, iptables and userspace that works here, and its reason says what kept
 * the better ones; `ebpf` falls back to nftables, with the reason. Rejects with `UserError` in one line when a named mode cannot be used.
 */
export const openBackend = async (mode: ProxyMode, deps: ModeDeps): Promise<OpenedBackend> => {
  const wanted = mode === 'auto' ? PREFERENCE : [mode, ...(SUBSTITUTES[mode] === undefined ? [] : [SUBSTITUTES[mode]])]
  const refusals: string[] = []
  for (const name of wanted) {
    const offer = await MODES[name].open(deps)
    if ('refusal' in offer) refusals.push(named(name, offer.refusal))
    else {
      const reason = [`${name}: ${offer.reason}`, ...refusals].join('; ')
      return { mode: name, backend: offer.backend, reason, ...(await conntrackFor(offer.backend, deps)) }
    }
  }
  throw new UserError(`--proxy-mode=${mode} cannot be used here: ${refusals.join('; ')}`)
}

/** Some refusals name the tool, which has the mode's name. */
const named = (mode: ModeName, refusal: string): string => (refusal.startsWith(`${mode}: `) ? refusal : `${mode}: ${refusal}`)

/** Without it the mode works, and flows to endpoints that are gone live until they time out. */
const conntrackFor = async (
  { supports }: Backend,
  { exec, libc, namespace, log }: ModeDeps,
): Promise<Pick<OpenedBackend, 'conntrack'>> => {
  if (!supports.has('TracksFlows')) return {}
  const { openConntrack } = await import('../../kernel/conntrack/index.ts')
  const opened = await openConntrack({
    libc: libc ?? { missing: 'there is no native library' },
    exec,
    ...(namespace === undefined ? {} : { namespace }),
  })
  if ('conntrack' in opened) return { conntrack: opened.conntrack }
  log.warn('flows to endpoints that are gone cannot be ended', { reason: opened.missing })
  return {}
}

export interface CleanupReport {
  /** Such as `nftables: table ip fairway`. */
  readonly removed: readonly string[]
  /** What could not be looked for, and why: its tool is not installed, say. */
  readonly skipped: readonly string[]
  /** What is or may be there and could not be removed, and why. */
  readonly failed: readonly string[]
}

/**
 * Removes every trace of every mode but `keep`, among those that `isAsked` names; one that fails does not keep the others. Never while a proxy of that
 * name runs in such a mode: iptables and ipvs have one set of names for the whole machine.
 */
export const cleanupModes = async (
  deps: ModeDeps,
  keep?: ModeName,
  isAsked: (mode: ModeName) => boolean = () => true,
): Promise<CleanupReport> => {
  const others = Object.values(MODES).filter(
    ({ name, partOf }) => name !== keep && !(keep !== undefined && partOf?.includes(keep)) && isAsked(name),
  )
  // Looking changes nothing, so all look at once; removing goes one after another.
  const looks = await Promise.allSettled(others.map((mode) => mode.leftovers(deps)))
  const removed: string[] = []
  const skipped: string[] = []
  const failed: string[] = []
  for (const [index, mode] of others.entries()) {
    try {
      const look = looks[index]
      if (look?.status === 'rejected') throw look.reason
      await removeLeftovers(mode, deps, { found: [], ...look?.value, report: { removed, skipped } })
    } catch (error) {
      failed.push(`${mode.name}: ${errorMessage(error)}`)
    }
  }
  return { removed, skipped, failed }
}

interface Removal extends Leftovers {
  readonly report: { readonly removed: string[]; readonly skipped: string[] }
}

const removeLeftovers = async (mode: Mode, deps: ModeDeps, { found, unknown, report }: Removal): Promise<void> => {
  if (unknown !== undefined) report.skipped.push(`${mode.name}: ${unknown}`)
  if (found.length === 0) return
  await mode.cleanup(deps)
  for (const what of found) report.removed.push(`${mode.name}: ${what}`)
}
