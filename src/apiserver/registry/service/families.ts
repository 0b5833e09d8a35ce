import type { Problem, ServiceSpec } from '../../../api/index.ts'
import { type IPFamily, parseAddress } from '../../../ip/index.ts'

/** The families of a Service in the order of its addresses. */
interface Families {
  readonly ipFamilyPolicy: NonNullable<ServiceSpec['ipFamilyPolicy']>
  readonly ipFamilies: readonly IPFamily[]
}

export type FamiliesResult =
  | { readonly kind: 'ok'; readonly families: Families }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }

/**
 * Decides families and policy of a Service with cluster addresses: what the client asked for, completed with what the cluster has.
 * `cluster` is in order of preference. Pure.
 */
export const resolveFamilies = (
  spec: ServiceSpec,
  old: ServiceSpec | undefined,
  cluster: readonly IPFamily[],
): FamiliesResult => {
  const headless = spec.clusterIPs?.[0] === 'None'
  const bare = headless && Object.keys(spec.selector ?? {}).length === 0
  const asked = familiesAsked(spec)
  const policy = spec.ipFamilyPolicy ?? (bare && asked.length === 0 ? 'RequireDualStack' : 'SingleStack')
  const problems = [...tooMany(spec, policy, asked), ...(bare ? [] : notConfigured(spec, policy, { asked, cluster }))]
  if (problems.length > 0) return { kind: 'refused', problems }
  const primary = asked[0] ?? cluster[0] ?? 'IPv4'
  const wantsTwo = policy !== 'SingleStack' && asked.length < 2 && !staysAsItIs(spec, old)
  const other = primary === 'IPv4' ? 'IPv6' : 'IPv4'
  // Endpoints of a headless Service without a selector come from its user, whatever families the cluster gives addresses of.
  const second = wantsTwo && (bare || cluster.includes(other)) ? [other as IPFamily] : []
  return { kind: 'ok', families: { ipFamilyPolicy: policy, ipFamilies: [primary, ...asked.slice(1), ...second] } }
}

/** Families that are named, or follow from the addresses. */
const familiesAsked = (spec: ServiceSpec): readonly IPFamily[] => {
  const named = spec.ipFamilies ?? []
  const addresses = (spec.clusterIPs ?? []).map((address) => parseAddress(address)?.family)
  return Array.from({ length: Math.max(named.length, addresses.length) }, (_, index) => named[index] ?? addresses[index]).filter(
    isFamily,
  )
}

const isFamily = (family: string | undefined): family is IPFamily => family === 'IPv4' || family === 'IPv6'

/** A PreferDualStack Service from before the cluster had a second family is not upgraded behind its user's back. */
const staysAsItIs = (spec: ServiceSpec, old: ServiceSpec | undefined): boolean =>
  spec.ipFamilyPolicy === 'PreferDualStack' &&
  old?.ipFamilyPolicy === 'PreferDualStack' &&
  old.ipFamilies?.length === 1 &&
  spec.ipFamilies?.length === 1

const POLICY = 'spec.ipFamilyPolicy'

const tooMany = (spec: ServiceSpec, policy: string, asked: readonly IPFamily[]): readonly Problem[] => {
  if (policy !== 'SingleStack' || asked.length < 2) return []
  const what = (spec.clusterIPs ?? []).length > 1 ? 'clusterIPs' : 'ipFamilies'
  const detail = `must be RequireDualStack or PreferDualStack when multiple '${what}' are specified`
  return [{ path: POLICY, type: 'Invalid', value: spec.ipFamilyPolicy ?? null, detail }]
}

const notConfigured = (
  spec: ServiceSpec,
  policy: string,
  { asked, cluster }: { readonly asked: readonly IPFamily[]; readonly cluster: readonly IPFamily[] },
): readonly Problem[] => {
  const problems: Problem[] = []
  for (const [index, family] of asked.entries()) {
    if (cluster.includes(family)) continue
    const field = spec.ipFamilies?.[index] === undefined ? 'clusterIPs' : 'ipFamilies'
    const value = spec[field]?.[index] ?? family
    problems.push({ path: `spec.${field}[${index}]`, type: 'Invalid', value, detail: 'not configured on this cluster' })
  }
  if (policy === 'RequireDualStack' && cluster.length < 2) {
    const detail = 'this cluster is not configured for dual-stack services'
    problems.push({ path: POLICY, type: 'Invalid', value: spec.ipFamilyPolicy ?? policy, detail })
  }
  return problems
}
