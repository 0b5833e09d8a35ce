import { type FakeIptables, fakeIptables } from '../../../kernel/iptables/testing/index.ts'
import { type HistoryWorld, historyConformance } from '../../history.conformance.ts'
import { createIptablesBackend } from './index.ts'
import { sendThrough } from './testing/index.ts'

/** Whose rules are of one effect in any order, but for those that must be last. */
const LISTS = /^(?:KUBE-SERVICES|KUBE-NODEPORTS|KUBE-EXTERNAL-SERVICES|KUBE-PROXY-FIREWALL|INPUT|FORWARD|OUTPUT|PREROUTING)$/

const world = (): HistoryWorld => {
  let value = 0
  let failures = 0
  const iptables = fakeIptables({ random: () => value })
  return {
    newBackend: () => createIptablesBackend({ iptables, serviceCIDRs: ['10.96.0.0/16', 'fd00:96::/112'] }),
    send: (packet, node) => sendThrough(iptables, packet, { node }),
    roll: (next) => {
      value = next
    },
    // At once, or after some of its tables.
    failNext: () => {
      const tables = failures++ % 4
      if (tables === 0) iptables.failNext(new Error('iptables-restore: refused'))
      else iptables.failAfter(tables)
    },
    clearFailures: () => {
      iptables.failNext()
      iptables.failAfter(undefined)
    },
    flush: () => iptables.flush(),
    contents: async (family) => contentsOf(iptables.saved({ flavour: 'nft', family })),
    changes: () => changesOf(iptables),
  }
}

const contentsOf = (saved: string): unknown => {
  const chains: Record<string, string[]> = {}
  let table = ''
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) table = line
    const declared = /^:(\S+)/.exec(line)?.[1]
    if (declared !== undefined) chains[`${table} ${declared}`] = []
    const [, chain, rule = ''] = /^-A (\S+)(.*)/.exec(line) ?? []
    if (chain !== undefined) chains[`${table} ${chain}`]?.push(rule)
  }
  for (const [id, rules] of Object.entries(chains)) if (LISTS.test(id.split(' ')[1] ?? '')) rules.sort()
  return chains
}

const changesOf = ({ restored }: FakeIptables): number => restored.join('').split('\n').length

historyConformance('iptables', world, { runs: 30 })
