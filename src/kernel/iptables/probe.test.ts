import { describe, expect, it } from 'vitest'
import { type Exec, HostError } from '../../host/index.ts'
import { createIptables } from './index.ts'

const answer = (stdout: string) => ({ stdout, stderr: '', code: 0 })
const failure = (command: string, details: { code: string; stderr?: string }) =>
  new HostError(`${command}: ${details.stderr ?? details.code}`, { command: [command], ...details })
const missing = (command: string) => failure(command, { code: 'ENOENT' })

interface Machine {
  /** `iptables --version` by command. */
  readonly versions?: Readonly<Record<string, string>>
  /** Output of the save tools. */
  readonly saved?: Readonly<Record<string, string>>
  /** What the restore tools say of their input; nothing when they take it. */
  readonly refuses?: (command: string, input: string) => string | undefined
}

const NFT = 'iptables v1.8.9 (nf_tables)'
const LEGACY = 'iptables v1.8.9 (legacy)'
const BOTH = { 'iptables-nft': NFT, 'iptables-legacy': LEGACY }

const machine =
  ({ versions = BOTH, saved = {}, refuses = () => undefined }: Machine): Exec =>
  async ([command, ...args], { stdin = '' } = {}) => {
    if (args[0] === '--version') {
      const version = versions[command]
      if (version === undefined) throw missing(command)
      return answer(version)
    }
    if (command.endsWith('-save')) return answer(saved[`${command} ${args.at(-1) ?? ''}`.trim()] ?? '')
    const said = refuses(command, String(stdin))
    if (said !== undefined) throw failure(command, { code: 'EEXIT', stderr: said })
    return answer('')
  }

const choose = (options: Machine, wanted?: 'nft' | 'legacy') => createIptables(machine(options)).choose(wanted)

describe('the flavour', () => {
  it.each([
    ['nft where nobody uses either', {}, 'nft', 'nobody uses either'],
    [
      'legacy where kubelet does',
      { 'iptables-legacy-save': '*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT' },
      'legacy',
      'kubelet or a proxy uses it here',
    ],
    [
      'nft where a proxy does, whatever legacy holds',
      {
        'ip6tables-nft-save mangle': '*mangle\n:KUBE-PROXY-CANARY - [0:0]\nCOMMIT',
        'iptables-legacy-save': '-A INPUT\n-A INPUT',
      },
      'nft',
      'kubelet or a proxy uses it here',
    ],
    [
      'the one with more rules',
      { 'iptables-legacy-save': '-A INPUT\n-A INPUT', 'iptables-nft-save': '-A INPUT' },
      'legacy',
      'it holds 2 rules here, nft 1',
    ],
  ] as const)('is %s', async (_, saved, flavour, why) => {
    expect(await choose({ saved })).toEqual({ flavour, why, without: {} })
  })
  it('is the one that is asked for', async () => {
    expect(await choose({}, 'legacy')).toEqual({ flavour: 'legacy', why: 'asked for', without: {} })
  })
  it('is legacy where nft does not work', async () => {
    const refuses = (command: string) => (command.includes('nft') ? 'Protocol not supported' : undefined)
    expect(await choose({ refuses })).toMatchObject({ flavour: 'legacy', why: expect.stringContaining('Protocol not supported') })
  })
  it('is known of tools whose name does not tell it', async () => {
    expect(await choose({ versions: { iptables: LEGACY } })).toMatchObject({ flavour: 'legacy' })
  })
  it('works without IPv6, and says why', async () => {
    const refuses = (command: string) => (command.startsWith('ip6') ? 'Address family not supported' : undefined)
    expect(await choose({ refuses })).toMatchObject({
      flavour: 'nft',
      without: { IPv6: expect.stringMatching(/^ip6tables \(nft\): the kernel has no nat table.*Address family not supported/) },
    })
  })
})

describe('what keeps it from working', () => {
  it.each([
    ['the tool', { versions: {} }, 'command iptables not found; install it: apt-get install iptables'],
    ['a newer tool', { versions: { iptables: 'iptables v1.6.2' } }, 'version 1.6 is too old; install iptables 1.8 or newer'],
    ['a tool that tells its version', { versions: { iptables: 'surprise' } }, 'version "surprise" is unknown'],
    [
      'the right',
      { refuses: () => 'Could not fetch rule set generation id: Permission denied (you must be root)' },
      'run as root or grant CAP_NET_ADMIN',
    ],
    [
      'modules of the kernel',
      { refuses: (_: string, input: string) => (/-m (recent|statistic)/.test(input) ? 'line 4 failed' : undefined) },
      'iptables (nft): the kernel lacks xt_statistic, xt_recent; load them (modprobe xt_statistic xt_recent)',
    ],
  ])('says that %s is missing', async (_, options, message) => {
    const choice = await choose(options)
    expect('obstacle' in choice ? choice.obstacle : '').toContain(message)
    expect('obstacle' in choice ? choice.obstacle : '').not.toContain('\n')
  })
})
