import type { IPFamily } from '../../../ip/index.ts'
import { type IPSet, MAX_SET_NAME, type SetType } from '../../../kernel/ipset/index.ts'

/** kube-proxy's sets, by their names without its prefix (pkg/proxy/ipvs/ipset.go). */
const KUBE_PROXY = {
  'LOOP-BACK': 'hash:ip,port,ip',
  'CLUSTER-IP': 'hash:ip,port',
  'EXTERNAL-IP': 'hash:ip,port',
  'EXTERNAL-IP-LOCAL': 'hash:ip,port',
  'LOAD-BALANCER': 'hash:ip,port',
  'LOAD-BALANCER-LOCAL': 'hash:ip,port',
  'LOAD-BALANCER-FW': 'hash:ip,port',
  'LOAD-BALANCER-SOURCE-IP': 'hash:ip,port,ip',
  'LOAD-BALANCER-SOURCE-CIDR': 'hash:ip,port,net',
  'NODE-PORT-TCP': 'bitmap:port',
  'NODE-PORT-LOCAL-TCP': 'bitmap:port',
  'NODE-PORT-UDP': 'bitmap:port',
  'NODE-PORT-LOCAL-UDP': 'bitmap:port',
  'NODE-PORT-SCTP-HASH': 'hash:ip,port',
  'NODE-PORT-LOCAL-SCTP-HASH': 'hash:ip,port',
  'IPVS-IPS': 'hash:ip',
} as const satisfies Readonly<Record<string, SetType>>

/** What kube-proxy has no sets for. */
const OURS = {
  PODS: 'hash:net',
  'SERVICE-CIDRS': 'hash:net',
  'NODE-PORT-ADDRESSES': 'hash:ip',
  'DROP-POD': 'hash:ip,port',
  'DROP-NODE': 'hash:ip,port',
  'DROP-OUTSIDE': 'hash:ip,port',
  REJECT: 'hash:ip,port',
  REDIRECT: 'hash:ip,port',
} as const satisfies Readonly<Record<string, SetType>>

export type SetKey = keyof typeof KUBE_PROXY | keyof typeof OURS

/** A set grows as it is filled; this many is more than any cluster has frontends or endpoints. */
const MAX_ELEMENTS = 1_048_576

/** As in kube-proxy: `KUBE-CLUSTER-IP` and `KUBE-6-CLUSTER-IP`, cut to what the kernel keeps; sets that it does not have begin with `FAIRWAY`. */
export const setName = (family: IPFamily, key: SetKey): string => {
  const owner = key in OURS ? 'FAIRWAY' : 'KUBE'
  return `${owner}-${family === 'IPv6' ? '6-' : ''}${key}`.slice(0, MAX_SET_NAME)
}

/** All sets of a family. */
export const setsOf = (family: IPFamily): readonly IPSet[] =>
  // Both tables are made of literals above, so their keys are known.
  (Object.entries({ ...KUBE_PROXY, ...OURS }) as [SetKey, SetType][]).map(([key, type]) => {
    const name = setName(family, key)
    if (type === 'bitmap:port') return { name, type }
    return { name, type, family: family === 'IPv6' ? 'inet6' : 'inet', maxElements: MAX_ELEMENTS }
  })

/** Only for the moment of a swap. */
export const SWAP_SET = 'FAIRWAY-SWAP'

const FAMILIES: readonly IPFamily[] = ['IPv4', 'IPv6']
const NAMES: ReadonlySet<string> = new Set([SWAP_SET, ...FAMILIES.flatMap((family) => setsOf(family).map(({ name }) => name))])

export const isOurSet = (name: string): boolean => NAMES.has(name)

/** kube-proxy has no such sets: where one is, those of its names are ours too. */
export const isSignatureSet = (name: string): boolean => isOurSet(name) && name.startsWith('FAIRWAY-')
