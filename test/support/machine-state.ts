import { instanceTag } from '../../src/kernel/link/index.ts'
import { command, inNamespace } from './instance.ts'

/**
 * What instances could leave on a machine (a network namespace): packet rules, sets, virtual servers, links, routes, settings, and the
 * namespaces of those with these data folders; as lines to compare.
 */
export const machineState = async (namespace: string, dataDirs: readonly string[] = []): Promise<readonly string[]> => {
  const found = await Promise.all(
    QUESTIONS.map(async ([title, script]) => {
      const [file = '', ...args] = inNamespace(namespace, ['sh', '-c', script])
      const { stdout } = await command(file, args)
      return stdout
        .split('\n')
        .filter((line) => line.trim() !== '' && !IRRELEVANT.test(line))
        .map((line) => `${title}: ${line.trim().replace(COUNTERS, '')}`)
    }),
  )
  const { stdout } = await command('ip', ['netns', 'list'])
  const tags = dataDirs.map(instanceTag)
  const namespaces = stdout.split('\n').filter((line) => tags.some((tag) => line.startsWith(tag)))
  return [...found.flat(), ...namespaces]
}

/** A tool that is missing has left nothing. */
const QUESTIONS: readonly (readonly [string, string])[] = [
  [
    'nft',
    `nft list tables 2>/dev/null | grep -vE ' (nat|filter|mangle|raw|security)$' | while read -r _ place; do nft list table $place; done`,
  ],
  ['iptables', 'iptables-save 2>/dev/null'],
  ['ip6tables', 'ip6tables-save 2>/dev/null'],
  ['iptables-legacy', 'test -s /proc/self/net/ip_tables_names && iptables-legacy-save 2>/dev/null'],
  ['ipset', 'ipset list -name 2>/dev/null'],
  ['ipvs', 'test -e /proc/self/net/ip_vs && ipvsadm -Sn 2>/dev/null'],
  ['link', 'ip -o link'],
  ['address', 'ip -o address'],
  ['route', 'ip -4 route show table all'],
  ['route', 'ip -6 route show table all'],
  ['rule', 'ip rule; ip -6 rule'],
  [
    'setting',
    `cd /proc/sys/net; grep -s . ipv4/ip_forward ipv6/conf/all/forwarding bridge/* ipv4/vs/* netfilter/nf_conntrack_tcp_be_liberal ${[
      'forwarding',
      'route_localnet',
      'rp_filter',
      'send_redirects',
      'arp_ignore',
      'arp_announce',
      'proxy_arp',
      'proxy_arp_pvlan',
    ]
      .map((name) => `ipv4/conf/*/${name}`)
      .join(' ')}`,
  ],
]

/**
 * Comments with the time of day; the built-in chains that iptables makes when it is first used and that nobody can remove; what the kernel itself adds a
 * moment after a link came up.
 */
const IRRELEVANT = /^#|^\*|^COMMIT|^:[A-Z]+ ACCEPT|fe80|ff00::|multicast/
const COUNTERS = / ?\[\d+:\d+\]/g
