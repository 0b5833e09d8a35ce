import type { Transaction } from './objects.ts'

/** What the proxy's chains use of the kernel; checked by it but never made. */
export const PROBE: Transaction = {
  table: { family: 'ip', name: 'fairway-probe' },
  commands: [
    { kind: 'add table' },
    {
      kind: 'add set',
      set: {
        name: 'endpoints',
        type: ['ipv4_addr', 'inet_proto', 'inet_service', 'classid'],
        data: ['ipv4_addr', 'inet_service'],
      },
    },
    {
      kind: 'add set',
      set: { name: 'affinity', type: ['ipv4_addr', 'mark'], data: ['classid'], size: 16, flags: ['dynamic', 'timeout'] },
    },
    { kind: 'add chain', chain: { name: 'nat', hook: { type: 'nat', hook: 'output', priority: -100 } } },
    {
      kind: 'set rules',
      chain: 'nat',
      rules: [
        'fib saddr type local meta priority set numgen random mod 2 offset 1',
        'update @affinity { ip saddr . ct mark timeout 1s : meta priority }',
        'meta l4proto tcp dnat ip to ip daddr . meta l4proto . th dport . meta priority map @endpoints',
      ],
    },
  ],
}

export const NO_PERMISSION = 'nft: no permission to change packet rules; run as root or grant CAP_NET_ADMIN'

export const kernelLacks = (words: string): string =>
  `nft: the kernel lacks what is needed (nat, numgen, fib, dynamic maps): ${words.slice(0, 300)}`
