import { describe, expect, it } from 'vitest'
import { parseRule } from './parse-rule.ts'
import { parseSaved } from './read-back.ts'
import { renderInBatches, renderTransaction } from './render.ts'
import { chanceOf, type Rule, renderRule } from './rule.ts'

/** What is written, and what iptables-save 1.8.9 prints of it. */
const RULES: readonly (readonly [string, Rule, string])[] = [
  [
    'a frontend',
    {
      destination: { cidr: '10.96.0.10' },
      protocol: 'tcp',
      comment: 'ns/web:http cluster IP',
      destinationPort: 80,
      target: { kind: 'jump', chain: 'KUBE-SVC-A' },
    },
    '-d 10.96.0.10/32 -p tcp -m comment --comment "ns/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-A',
  ],
  [
    'sources outside',
    { source: { cidr: '10.1.0.0/16', not: true }, sourceIsLocal: false, target: { kind: 'mark', value: 0x4000, mask: 0x4000 } },
    '! -s 10.1.0.0/16 -m addrtype ! --src-type LOCAL -j MARK --set-xmark 0x4000/0x4000',
  ],
  [
    'a share',
    { chance: chanceOf(3), comment: 'one-word', target: { kind: 'jump', chain: 'A' } },
    '-m comment --comment one-word -m statistic --mode random --probability 0.33333333349 -j A',
  ],
  [
    'a client that was seen',
    { recent: { kind: 'check', list: 'L', seconds: 10 }, target: { kind: 'jump', chain: 'L' } },
    '-m recent --rcheck --seconds 10 --reap --name L --mask 255.255.255.255 --rsource -j L',
  ],
  [
    'an IPv6 client that is remembered',
    { protocol: 'sctp', recent: { kind: 'set', list: 'L' }, target: { kind: 'dnat', to: '[fd00::1]:80' } },
    '-p sctp -m recent --set --name L --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource -m sctp -j DNAT --to-destination [fd00::1]:80',
  ],
  [
    'a mark that is not there',
    { mark: { value: 0x4000, mask: 0x4000, not: true }, target: { kind: 'verdict', verdict: 'RETURN' } },
    '-m mark ! --mark 0x4000/0x4000 -j RETURN',
  ],
  [
    'states',
    { states: { names: ['ESTABLISHED', 'RELATED'] }, target: { kind: 'verdict', verdict: 'ACCEPT' } },
    '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  ],
  ['a refusal', { target: { kind: 'reject' } }, '-j REJECT --reject-with icmp-port-unreachable'],
  ['a reset', { protocol: 'tcp', target: { kind: 'reject', with: 'tcp-reset' } }, '-p tcp -j REJECT --reject-with tcp-reset'],
  ['masquerading', { target: { kind: 'masquerade' } }, '-j MASQUERADE --random-fully'],
  ['a local destination', { destinationIsLocal: true }, '-m addrtype --dst-type LOCAL'],
]

describe('rules', () => {
  it.each(RULES)('reads back %s as it was written', (_, rule, saved) => {
    expect(parseRule(saved)).toEqual(rule)
    expect(parseRule(renderRule(rule))).toEqual(rule)
  })
  it.each([
    '-i eth0 -j ACCEPT',
    '-m owner --uid-owner 0 -j ACCEPT',
    '-p icmp -j ACCEPT',
    '-g KUBE-SVC-A',
    '-j MASQUERADE',
    '-j DNAT',
    '--dport 80 -j ACCEPT',
    '-m comment --comment "open -j ACCEPT',
    '-m recent --rcheck --seconds 10 --name L --rsource -j A',
    '-m statistic --mode nth --every 2 --packet 0 -j A',
    '! -j ACCEPT',
    '-s example.com -j ACCEPT',
    '-j REJECT --reject-with icmp-host-prohibited',
    '-s 10.0.0.1 constructor x',
    '-s',
  ])('does not guess what %s means', (text) => expect(parseRule(text)).toBeUndefined())
  it('says every share so that the kernel has it exactly', () => {
    for (let count = 1; count <= 2_000; count++) {
      expect(parseRule(renderRule({ chance: chanceOf(count) }))?.chance).toBe(chanceOf(count))
    }
  })
  it('leaves out of a comment what could end it', () => {
    expect(renderRule({ comment: 'a"b\\c\nd', target: { kind: 'verdict', verdict: 'DROP' } })).toBe(
      '-m comment --comment "abcd" -j DROP',
    )
  })
  it.each([
    ['an address', { source: { cidr: '10.0.0.1 -j ACCEPT' } }],
    ['a chain', { target: { kind: 'jump', chain: 'A\n-F' } }],
    ['a destination', { target: { kind: 'dnat', to: '1.1.1.1:1 --random' } }],
    ['a list', { recent: { kind: 'set', list: 'a b' } }],
  ] as const)('refuses %s of more than one word', (_, rule) => expect(() => renderRule(rule)).toThrow('is no plain word'))
})

describe('rendering', () => {
  it.each([
    ['a chain', { kind: 'set chain', chain: 'A B', rules: [] }],
    ['a rule', { kind: 'append rule', chain: 'A', rule: '-j ACCEPT\n-F' }],
  ] as const)('refuses %s that could end its line', (_, command) => {
    expect(() => renderTransaction([{ table: 'nat', commands: [command] }])).toThrow('is not plain text')
  })
  it('declares chains first and removes them last', () => {
    const text = renderTransaction([
      {
        table: 'nat',
        commands: [
          { kind: 'delete chain', chain: 'OLD' },
          { kind: 'delete rule', chain: 'LIST', rule: '-j OLD' },
          { kind: 'insert rule', chain: 'LIST', rule: '-j NEW' },
          { kind: 'set chain', chain: 'NEW', rules: ['-j OTHER'] },
          { kind: 'add chain', chain: 'OTHER', rules: [] },
        ],
      },
      { table: 'filter', commands: [] },
    ])
    expect(text.split('\n')).toEqual(
      '*nat|:OLD - [0:0]|:NEW - [0:0]|:OTHER - [0:0]|-D LIST -j OLD|-I LIST -j NEW|-A NEW -j OTHER|-X OLD|COMMIT|'.split('|'),
    )
  })
  it('sends many new chains ahead in batches, and all else in one input after them', () => {
    const added = Array.from({ length: 1_200 }, (_, index) => ({ kind: 'add chain' as const, chain: `C${index}`, rules: [] }))
    const inputs = renderInBatches([
      { table: 'nat', commands: [...added, { kind: 'append rule', chain: 'LIST', rule: '-j C1' }] },
    ])
    expect(inputs.map((input) => input.split('\n').length - 3)).toEqual([500, 500, 200, 1])
  })
})

describe('reading back', () => {
  const owns = (_: string, chain: string): boolean => chain.startsWith('KUBE-')
  it('gives all rules of owned chains, and of others those that lead there', () => {
    const text = `# Generated by iptables-save
*raw
:PREROUTING ACCEPT [0:0]
-A PREROUTING -j NOTRACK
COMMIT
*nat
:PREROUTING ACCEPT [1:60]
:THEIRS - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -j THEIRS
-A PREROUTING -m comment --comment "a b" -j KUBE-SERVICES
-A THEIRS -g KUBE-SERVICES
-A KUBE-SERVICES -i eth0
COMMIT
`
    expect(parseSaved(text, owns)).toEqual([
      {
        table: 'nat',
        chain: 'PREROUTING',
        isBuiltIn: true,
        isOwned: false,
        rules: [
          {
            text: '-m comment --comment "a b" -j KUBE-SERVICES',
            rule: { comment: 'a b', target: { kind: 'jump', chain: 'KUBE-SERVICES' } },
          },
        ],
      },
      {
        table: 'nat',
        chain: 'THEIRS',
        isBuiltIn: false,
        isOwned: false,
        rules: [{ text: '-g KUBE-SERVICES', rule: undefined }],
      },
      { table: 'nat', chain: 'KUBE-SERVICES', isBuiltIn: false, isOwned: true, rules: [{ text: '-i eth0', rule: undefined }] },
    ])
  })
  it.each([
    ['a line of another form', '*nat\n:A - [0:0]\nsurprise', 'unknown form'],
    ['a rule of a chain that is not declared', '*nat\n-A A -j ACCEPT', 'unknown form'],
    ['a table with rules of nft', "# Table `nat' is incompatible, use 'nft' tool.", 'somebody put rules into it with nft'],
  ])('refuses %s', (_, text, message) => expect(() => parseSaved(text, owns)).toThrow(message))
  it('does not mind what nft put into tables that are none of ours', () => {
    expect(parseSaved("# Table `raw' is incompatible, use 'nft' tool.\n", owns)).toEqual([])
  })
})
