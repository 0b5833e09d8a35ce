import { errorMessage } from '../../base/index.ts'
import { HostError } from '../../host/index.ts'
import type { IPFamily } from '../../ip/index.ts'
import type { Choice, Flavour, Place } from './objects.ts'
import { renderTransaction } from './render.ts'
import { chanceOf, type Rule, renderRule } from './rule.ts'
import type { Tool } from './tool.ts'

const FLAVOURS: readonly Flavour[] = ['nft', 'legacy']

/**
 * The flavour to use. Rules in both engines would be worse than either, so the one that others use here has it, by the rule of
 * https://github.com/kubernetes-sigs/iptables-wrappers: hints of kubelet or a proxy first, then whoever has more rules, then nft.
 */
export const choose = async (tool: Tool, wanted?: Flavour): Promise<Choice> => {
  const obstacles: string[] = []
  const { flavours, why } = wanted === undefined ? await inOrder(tool) : { flavours: [wanted], why: 'asked for' }
  for (const [index, flavour] of flavours.entries()) {
    const missing = (await tool.obstacle(flavour)) ?? (await probe(tool, { flavour, family: 'IPv4' }))
    if (missing !== undefined) {
      obstacles.push(missing)
      continue
    }
    const withoutIPv6 = await probe(tool, { flavour, family: 'IPv6' })
    return {
      flavour,
      why: index === 0 ? why : `the other flavour does not work: ${obstacles[0]}`,
      without: withoutIPv6 === undefined ? {} : { IPv6: withoutIPv6 },
    }
  }
  return { obstacle: [...new Set(obstacles)].join('; ') }
}

const inOrder = async (tool: Tool): Promise<{ readonly flavours: readonly Flavour[]; readonly why: string }> => {
  const used = 'kubelet or a proxy uses it here'
  // The hints are in a small table; all rules of a big cluster take iptables-nft-save many seconds.
  if (HINT.test(await saved(tool, 'nft', ['--table', 'mangle']))) return { flavours: FLAVOURS, why: used }
  // Asked for one table, the legacy tool would make it.
  const inLegacy = await saved(tool, 'legacy')
  if (HINT.test(inLegacy)) return { flavours: LEGACY_FIRST, why: used }
  const [legacy, nft] = [rulesIn(inLegacy), rulesIn(await saved(tool, 'nft'))]
  if (legacy > nft) return { flavours: LEGACY_FIRST, why: `it holds ${legacy} rules here, nft ${nft}` }
  return { flavours: FLAVOURS, why: nft > 0 ? `it holds ${nft} rules here, legacy ${legacy}` : 'nobody uses either' }
}

const LEGACY_FIRST: readonly Flavour[] = [...FLAVOURS].reverse()

const HINT = /^:KUBE-(?:IPTABLES-HINT|KUBELET-CANARY|PROXY-CANARY) /m

const rulesIn = (text: string): number => text.match(/^-A/gm)?.length ?? 0

/** Of both families; nothing where they cannot be read. */
const saved = async (tool: Tool, flavour: Flavour, args: readonly string[] = []): Promise<string> => {
  if ((await tool.obstacle(flavour)) !== undefined) return ''
  const of = (family: IPFamily): Promise<string> => tool.run({ flavour, family }, '-save', { args }).catch(() => '')
  return `${await of('IPv4')}\n${await of('IPv6')}`
}

/** Nothing leads to it, and its name is one that cleaning up removes. */
export const PROBE_CHAIN = 'KUBE-PROXY-PROBE'

const LOCAL_ADDRESS: Readonly<Record<IPFamily, string>> = { IPv4: '127.0.0.1:1', IPv6: '[::1]:1' }

/** What the proxy needs of the kernel, by the module that gives it. */
const needs = (family: IPFamily): Readonly<Record<string, Rule>> => ({
  xt_comment: { comment: 'probe' },
  xt_addrtype: { sourceIsLocal: true },
  xt_mark: { mark: { value: 1, mask: 1 }, target: { kind: 'mark', value: 1, mask: 1 } },
  xt_conntrack: { states: { names: ['NEW'] } },
  xt_statistic: { chance: chanceOf(2) },
  xt_recent: { recent: { kind: 'set', list: PROBE_CHAIN } },
  xt_nat: { protocol: 'tcp', target: { kind: 'dnat', to: LOCAL_ADDRESS[family] } },
})

/** Why the flavour cannot be used in a family, and what now. */
const probe = async (tool: Tool, place: Place): Promise<string | undefined> => {
  const rules = needs(place.family)
  const failure = await attempt(tool, place, Object.values(rules))
  if (failure === undefined) return undefined
  const name = `${place.family === 'IPv4' ? 'iptables' : 'ip6tables'} (${place.flavour})`
  // The legacy restore does not say what keeps a table from it.
  const said = `${failure} ${await listing(tool, place)}`
  if (/permission denied|not permitted|must be root/i.test(said)) {
    return `${name}: no permission to change packet rules; run as root or grant CAP_NET_ADMIN and CAP_NET_RAW`
  }
  if ((await attempt(tool, place, [])) !== undefined) {
    return `${name}: the kernel has no nat table for it; load its modules, or choose another flavour or --proxy-mode: ${failure.slice(0, 300)}`
  }
  const lacking: string[] = []
  for (const [module, rule] of Object.entries(rules)) if ((await attempt(tool, place, [rule])) !== undefined) lacking.push(module)
  return `${name}: the kernel lacks ${lacking.join(', ')}; load them (modprobe ${lacking.join(' ')}), or choose another --proxy-mode`
}

/** What was said when a chain with these rules was refused. */
const attempt = async (tool: Tool, place: Place, rules: readonly Rule[]): Promise<string | undefined> => {
  const restore = (input: string): Promise<string> => tool.run(place, '-restore', { args: RESTORE_ARGS, stdin: input })
  try {
    await restore(
      renderTransaction([{ table: 'nat', commands: [{ kind: 'set chain', chain: PROBE_CHAIN, rules: rules.map(renderRule) }] }]),
    )
    await restore(renderTransaction([{ table: 'nat', commands: [{ kind: 'delete chain', chain: PROBE_CHAIN }] }]))
    return undefined
  } catch (error) {
    return error instanceof HostError ? error.stderr.trim() || error.message : errorMessage(error)
  }
}

const listing = (tool: Tool, place: Place): Promise<string> =>
  tool.run(place, '', { args: ['--table', 'nat', '--list-rules', 'OUTPUT'] }).catch(errorMessage)

/** Other chains stay; the lock of the legacy flavour is waited for. */
export const RESTORE_ARGS: readonly string[] = ['--noflush', '--wait', '30']
