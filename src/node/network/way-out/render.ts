import type { Transaction } from '../../../kernel/nft/index.ts'

export interface WayOutRules {
  readonly tableName: string
  readonly podCIDR: string
  readonly bridge: string
  /** Devices that forward only because of this instance. */
  readonly opened: readonly string[]
}

/** Name of the table of an instance's pods, by its tag. */
export const wayOutTable = (tag: string): string => `fairway-${tag}-pods`

/** The set whose members are the devices that this instance made forward: what is to be given back is kept where it works. */
export const OPENED = 'opened'

/** The whole table, replaced at once: it holds no state but the set. */
export const renderWayOut = ({ tableName, podCIDR, bridge, opened }: WayOutRules): Transaction => ({
  table: { family: 'ip', name: tableName },
  commands: [
    { kind: 'delete table' },
    { kind: 'add table' },
    { kind: 'add set', set: { name: OPENED, type: ['ifname'] } },
    // After the Service rules, whose own source rewrite comes first.
    { kind: 'add chain', chain: { name: 'leaving', hook: { type: 'nat', hook: 'postrouting', priority: 101 } } },
    { kind: 'add chain', chain: { name: 'entering', hook: { type: 'filter', hook: 'forward', priority: 0 } } },
    { kind: 'set rules', chain: 'leaving', rules: [`ip saddr ${podCIDR} oifname != lo oifname != ${bridge} masquerade`] },
    {
      kind: 'set rules',
      chain: 'entering',
      rules: [
        `iifname != @${OPENED} accept`,
        'ct state established accept',
        'ct state related accept',
        // What a rule of this machine sent on: a Service's external address, a published port.
        'ct status dnat accept',
        // Neighbours must not find a router where there was none.
        'drop',
      ],
    },
    ...(opened.length === 0 ? [] : [{ kind: 'add elements' as const, elements: opened.map((key) => ({ set: OPENED, key })) }]),
  ],
})
