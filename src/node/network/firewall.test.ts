import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Exec, realExec, realHost } from '../../host/index.ts'
import { filterNote, forwardFilters } from './firewall.ts'

const { networkNamespaces, tools } = await realHost().capabilities()
const missing = (['nft', 'iptables'] as const).filter((tool) => !tools.has(tool))
const reason = networkNamespaces.usable ? (missing.length > 0 ? `${missing.join(', ')} missing` : '') : networkNamespaces.reason

describe.skipIf(reason !== '')(`foreign filters of what is forwarded${reason && ` (skipped: ${reason})`}`, () => {
  const name = `fi${process.pid}`
  const exec: Exec = (argv, options) => realExec(['nsenter', `--net=/run/netns/${name}`, ...argv], options)
  beforeEach(() => realExec(['ip', 'netns', 'add', name]))
  afterEach(() => realExec(['ip', 'netns', 'del', name]))

  const nft = (text: string) => exec(['nft', '-f', '-'], { stdin: text })
  const chain = (table: string, rules: string) =>
    nft(`table inet ${table} {
    chain forward { type filter hook forward priority 0 ; policy accept ;
      ${rules}
    }
  }
  `)

  it.each<[string, () => Promise<unknown>, readonly string[]]>([
    ['nobody filters', async () => {}, []],
    [
      'iptables with policy drop, as Docker has it',
      () => exec(['iptables', '-P', 'FORWARD', 'DROP']),
      ['chain FORWARD of table ip filter'],
    ],
    ['iptables that lets all through', () => exec(['iptables', '-A', 'FORWARD', '-j', 'ACCEPT']), []],
    [
      'a chain that refuses the rest, as firewalld has it',
      () => chain('firewalld', 'ct state established accept\nreject'),
      ['chain forward of table inet firewalld'],
    ],
    ['a chain that refuses something', () => chain('some', 'tcp dport 25 drop'), []],
    ['the guard of an instance', () => chain('fairway-fw123456-pods', 'drop'), []],
  ])('%s', async (_, set, expected) => {
    await set()
    expect((await forwardFilters(exec)).map(({ what }) => what)).toEqual(expected)
  })

  it('says a command that lets pods through', async () => {
    await exec(['iptables', '-P', 'FORWARD', 'DROP'])
    await chain('other', 'drop')
    for (const filter of await forwardFilters(exec)) {
      const [, command = ''] = /with "(.*)"$/.exec(filterNote(filter, 'fw123456-br')) ?? []
      await exec(['sh', '-ec', command])
    }
    const rules = (await exec(['nft', 'list', 'ruleset'])).stdout
    expect(rules.match(/iifname "fw123456-br".*accept/g)).toHaveLength(2)
  })

  it('suspects nobody where the tools are missing', async () => {
    const without: Exec = (argv, options) => exec(['/nonexistent/tool', ...argv.slice(1)], options)
    expect(await forwardFilters(without)).toEqual([])
  })
})
