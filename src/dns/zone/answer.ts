import { isIPv4, isIPv6 } from 'node:net'
import type { RecordType, ZoneRecord } from './records.ts'
import type { Zone } from './zone.ts'

export interface Question {
  /** Lower case, no trailing dot. */
  readonly name: string
  /** Any type of the IANA registry, as dns-packet names it. */
  readonly type: string
}

/** What the zone says of a question; `not-ours` is for the next in the chain. */
export type ZoneAnswer =
  | { readonly kind: 'not-ours' }
  | { readonly kind: 'name-error' }
  | { readonly kind: 'records'; readonly answers: readonly ZoneRecord[]; readonly additionals: readonly ZoneRecord[] }

/** The DNS specification that is served, in `dns-version.<domain>`. */
const SPECIFICATION_VERSION = '1.1.0'

/** Answers from the zone of `domain` and from the reverse names that it holds; pure. */
export const answer = (zone: Zone, domain: string, question: Question): ZoneAnswer => {
  const { name, type } = question
  if (!isWithin(name, domain)) return reverse(zone, question)
  if (name === domain) return records([])
  if (name === `dns-version.${domain}`) return records(type === 'TXT' ? [{ name, type: 'TXT', text: SPECIFICATION_VERSION }] : [])
  const pod = podRecord(name, domain)
  if (pod) return records(pod.type === type ? [pod] : [])
  if (!zone.exists(name)) return { kind: 'name-error' }
  const alias = zone.find(name, 'CNAME')
  if (alias.length > 0) return records(alias)
  const found = isRecordType(type) ? zone.find(name, type) : []
  return { kind: 'records', answers: found, additionals: type === 'SRV' ? targets(zone, found) : [] }
}

const records = (answers: readonly ZoneRecord[]): ZoneAnswer => ({ kind: 'records', answers, additionals: [] })

const reverse = (zone: Zone, { name, type }: Question): ZoneAnswer =>
  /\.(in-addr|ip6)\.arpa$/.test(name) && zone.find(name, 'PTR').length > 0
    ? records(type === 'PTR' ? zone.find(name, 'PTR') : [])
    : { kind: 'not-ours' }

/** `10-1-2-3.<namespace>.pod.<domain>` is the address that it spells (CoreDNS `pods insecure`, kubeadm's setting). */
const podRecord = (name: string, domain: string): (ZoneRecord & { readonly type: 'A' | 'AAAA' }) | undefined => {
  const suffix = `.pod.${domain}`
  if (!name.endsWith(suffix)) return undefined
  const [dashed, namespace, ...rest] = name.slice(0, -suffix.length).split('.')
  if (!dashed || !namespace || rest.length > 0) return undefined
  const v4 = dashed.replaceAll('-', '.')
  if (isIPv4(v4)) return { name, type: 'A', address: v4 }
  const v6 = dashed.replaceAll('-', ':')
  return isIPv6(v6) ? { name, type: 'AAAA', address: v6 } : undefined
}

const targets = (zone: Zone, found: readonly ZoneRecord[]): readonly ZoneRecord[] => {
  const names = new Set(found.flatMap((record) => (record.type === 'SRV' ? [record.target] : [])))
  return [...names].flatMap((name) => [...zone.find(name, 'A'), ...zone.find(name, 'AAAA')])
}

/** Whether `name` is `domain` or below it. */
export const isWithin = (name: string, domain: string): boolean => name === domain || name.endsWith(`.${domain}`)

const RECORD_TYPES: ReadonlySet<string> = new Set<RecordType>(['A', 'AAAA', 'SRV', 'PTR', 'CNAME', 'TXT'])

const isRecordType = (type: string): type is RecordType => RECORD_TYPES.has(type)
