import { clusterIP, ENDPOINTS, featuresOf, NODE, podOf, RANGES } from './services.ts'

/**
 * The benchmark's Services in kube-proxy's layout, as input for `nft -f`: a chain for each Service port, for its external frontends, for its source ranges and for each
 * endpoint; maps from frontends to those chains; an anonymous map in each Service's chain; a set of clients for each endpoint with affinity.
 */
export const chainLayout = (size: number): string => {
  const lines: string[] = [...FRAME]
  const elements = new Map<string, string[]>([
    ['cluster-ips', []],
    ['service-ips', []],
    ['service-nodeports', []],
    ['firewall-ips', []],
  ])
  for (let index = 0; index < size; index++) addService(lines, elements, index)
  for (const [set, members] of elements) {
    if (members.length > 0) lines.push(`add element ip ${TABLE} ${set} { ${members.join(', ')} }`)
  }
  return `${lines.join('\n')}\n`
}

const TABLE = 'chain-layout'
const [PODS = ''] = NODE.podCIDRs
const [NODE_ADDRESS = ''] = NODE.nodePortAddresses

const FRAME = [
  `add table ip ${TABLE}`,
  `add set ip ${TABLE} cluster-ips { type ipv4_addr ; }`,
  `add set ip ${TABLE} nodeport-ips { type ipv4_addr ; elements = { ${NODE_ADDRESS} } }`,
  `add map ip ${TABLE} service-ips { type ipv4_addr . inet_proto . inet_service : verdict ; }`,
  `add map ip ${TABLE} service-nodeports { type inet_proto . inet_service : verdict ; }`,
  `add map ip ${TABLE} firewall-ips { type ipv4_addr . inet_proto . inet_service : verdict ; }`,
  ...['mark-for-masquerade', 'services', 'firewall-check', 'reject-chain'].map((chain) => `add chain ip ${TABLE} ${chain}`),
  `add chain ip ${TABLE} nat-prerouting { type nat hook prerouting priority -100 ; }`,
  `add chain ip ${TABLE} nat-output { type nat hook output priority -100 ; }`,
  `add chain ip ${TABLE} nat-postrouting { type nat hook postrouting priority 100 ; }`,
  `add chain ip ${TABLE} filter-prerouting { type filter hook prerouting priority -110 ; }`,
  `add rule ip ${TABLE} mark-for-masquerade meta mark set meta mark or 0x4000`,
  `add rule ip ${TABLE} services ip daddr . meta l4proto . th dport vmap @service-ips`,
  `add rule ip ${TABLE} services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports`,
  `add rule ip ${TABLE} nat-prerouting jump services`,
  `add rule ip ${TABLE} nat-output jump services`,
  `add rule ip ${TABLE} nat-postrouting meta mark and 0x4000 != 0 masquerade fully-random`,
  `add rule ip ${TABLE} firewall-check ip daddr . meta l4proto . th dport vmap @firewall-ips`,
  `add rule ip ${TABLE} filter-prerouting ct state new jump firewall-check`,
  `add rule ip ${TABLE} reject-chain reject`,
]

const addService = (lines: string[], elements: ReadonlyMap<string, string[]>, index: number): void => {
  const { hasAffinity, nodePort, vip, isLocal } = featuresOf(index)
  const address = clusterIP(index)
  const id = index.toString(36).toUpperCase().padStart(8, 'A')
  const chain = `service-${id}-default/s${index}/tcp/`
  const hosts = Array.from({ length: ENDPOINTS }, (_, each) => index * ENDPOINTS + each)
  const endpoints = hosts.map((host, each) => ({
    address: podOf(host),
    chain: `endpoint-${id}${each}-default/s${index}/tcp/__${podOf(host)}/8080`,
  }))
  for (const endpoint of endpoints) addEndpoint(lines, endpoint, hasAffinity)
  lines.push(`add chain ip ${TABLE} ${chain}`)
  lines.push(`add rule ip ${TABLE} ${chain} ip daddr ${address} tcp dport 80 ip saddr != ${PODS} jump mark-for-masquerade`)
  if (hasAffinity) {
    for (const endpoint of endpoints)
      lines.push(`add rule ip ${TABLE} ${chain} ip saddr @affinity-${endpoint.chain} goto ${endpoint.chain}`)
  }
  const choices = endpoints.map((endpoint, each) => `${each} : goto ${endpoint.chain}`).join(', ')
  lines.push(`add rule ip ${TABLE} ${chain} numgen random mod ${ENDPOINTS} vmap { ${choices} }`)
  elements.get('cluster-ips')?.push(address)
  elements.get('service-ips')?.push(`${address} . tcp . 80 : goto ${chain}`)
  if (nodePort === undefined) return
  const external = `external-${id}-default/s${index}/tcp/`
  lines.push(`add chain ip ${TABLE} ${external}`)
  if (!isLocal) lines.push(`add rule ip ${TABLE} ${external} jump mark-for-masquerade`)
  lines.push(`add rule ip ${TABLE} ${external} goto ${chain}`)
  elements.get('service-nodeports')?.push(`tcp . ${nodePort} : goto ${external}`)
  if (vip === undefined) return
  elements.get('service-ips')?.push(`${vip} . tcp . 80 : goto ${external}`)
  const firewall = `firewall-${id}-default/s${index}/tcp/`
  lines.push(`add chain ip ${TABLE} ${firewall}`)
  lines.push(`add rule ip ${TABLE} ${firewall} ip saddr != { ${RANGES.join(', ')} } drop`)
  elements.get('firewall-ips')?.push(`${vip} . tcp . 80 : goto ${firewall}`)
}

const addEndpoint = (
  lines: string[],
  { address, chain }: { readonly address: string; readonly chain: string },
  hasAffinity: boolean,
): void => {
  lines.push(`add chain ip ${TABLE} ${chain}`)
  lines.push(`add rule ip ${TABLE} ${chain} ip saddr ${address} jump mark-for-masquerade`)
  if (hasAffinity) {
    const set = `affinity-${chain}`
    lines.push(`add set ip ${TABLE} ${set} { type ipv4_addr ; flags dynamic,timeout ; timeout 10800s ; }`)
    lines.push(`add rule ip ${TABLE} ${chain} update @${set} { ip saddr }`)
  }
  lines.push(`add rule ip ${TABLE} ${chain} meta l4proto tcp dnat to ${address}:8080`)
}
