import { randomUUID } from 'node:crypto'
import { type IPAddress, ipAddressKind, type KubeObject, type Problem, type Service } from '../../../api/index.ts'
import { formatAddress, type IPFamily, parseAddress } from '../../../ip/index.ts'
import type { Entry } from '../../../store/index.ts'
import { ipAddressKey } from '../../allocators/index.ts'
import { decodeEntry, encodeObject } from '../../cache/index.ts'
import { claimedAddresses } from './claims.ts'
import { resolveFamilies } from './families.ts'
import type { PlanContext } from './ledger.ts'

/** The Service that the API server runs for itself; the first address is its own. */
const OWN_SERVICE = { namespace: 'default', name: 'kubernetes' }

/**
 * Decides the families of `service`, claims the addresses that it asks for, picks those that are missing, and gives back those of `old`
 * that it no longer has. Adds to the ledger; throws when a range is full.
 */
export const planAddresses = async (context: PlanContext, service: Service, old: Service | undefined): Promise<Service> => {
  const { ledger, allocators } = context
  const next = service.spec.type === 'ExternalName' ? service : await withAddresses(context, service, old)
  if (ledger.problems.length > 0) return service
  const kept = new Set(claimedAddresses(next))
  for (const address of claimedAddresses(old))
    if (old !== undefined && !kept.has(address)) await releaseAddress(context, old, address)
  // Each range must still be there when the plan is committed.
  const ranges = new Map(ledger.conditions.map((condition) => [condition.key, condition]))
  for (const address of kept) {
    const range = isNew(address, old) ? allocators.addresses.rangeOf(address) : undefined
    if (range !== undefined && !ranges.has(range.key)) {
      ranges.set(range.key, range)
      ledger.conditions.push(range)
    }
  }
  return next
}

const isNew = (address: string, old: Service | undefined): boolean => !claimedAddresses(old).includes(address)

const withAddresses = async (context: PlanContext, service: Service, old: Service | undefined): Promise<Service> => {
  const { ledger, allocators } = context
  const { spec } = service
  const result = resolveFamilies(spec, old?.spec, allocators.addresses.families)
  if (result.kind === 'refused') {
    ledger.problems.push(...result.problems)
    return service
  }
  const { families } = result
  if (spec.clusterIPs?.[0] === 'None') return { ...service, spec: { ...spec, ...families } }
  const addresses: string[] = []
  for (const [index, family] of families.ipFamilies.entries()) {
    const asked = spec.clusterIPs?.[index]
    if (asked !== undefined && asked !== '')
      await claimAddress(context, service, { address: asked, family, isHeld: !isNew(asked, old) })
    addresses.push(asked || '')
  }
  if (ledger.problems.length > 0) return service
  for (const [index, family] of families.ipFamilies.entries()) addresses[index] ||= pickAddress(context, service, family)
  return { ...service, spec: { ...spec, ...families, clusterIP: addresses[0], clusterIPs: addresses } }
}

interface AddressClaim {
  readonly address: string
  readonly family: IPFamily
  readonly isHeld: boolean
}

const claimAddress = async (context: PlanContext, service: Service, { address, family, isHeld }: AddressClaim): Promise<void> => {
  const { allocators, ledger, store } = context
  if (isHeld) return
  const canonical = canonicalText(address)
  if (allocators.addresses.rangeOf(canonical) === undefined) {
    const ranges = allocators.addresses.ranges(family).join(', ')
    const detail = `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${ranges}`
    ledger.problems.push(refusal(service, address, detail))
    return
  }
  const entry = await store.get(ipAddressKey(canonical))
  const isReserved = canonical === allocators.addresses.firstOf(family) && !isOwnService(service)
  if (isReserved || (entry !== undefined && !isParent(entry, service))) {
    ledger.problems.push(refusal(service, address, 'provided IP is already allocated'))
    return
  }
  ledger.reserveAddress(canonical)
  if (entry === undefined) putAddress(context, service, canonical)
  else ledger.conditions.push({ key: entry.key, modRevision: entry.modRevision })
}

const canonicalText = (text: string): string => {
  const address = parseAddress(text)
  return address === undefined ? text : formatAddress(address)
}

const refusal = (service: Service, address: string, detail: string): Problem => ({
  path: 'spec.clusterIPs',
  type: 'Invalid',
  value: service.spec.clusterIPs,
  detail: `failed to allocate IP ${address}: ${detail}`,
})

const pickAddress = (context: PlanContext, service: Service, family: IPFamily): string => {
  const { allocators, ledger } = context
  const first = isOwnService(service) ? freeFirst(context, family) : undefined
  if (first !== undefined) {
    ledger.reserveAddress(first)
    putAddress(context, service, first)
    return first
  }
  const picked = allocators.addresses.pick(family)
  if (picked === undefined) {
    const why = allocators.addresses.ranges(family).length === 0 ? `there is no ServiceCIDR of family ${family}` : 'range is full'
    throw ledger.full(`failed to allocate a serviceIP: ${why}`)
  }
  ledger.adoptAddress(picked.address)
  putAddress(context, service, picked.address)
  return picked.address
}

const isOwnService = ({ metadata }: Service): boolean =>
  metadata.namespace === OWN_SERVICE.namespace && metadata.name === OWN_SERVICE.name

const freeFirst = ({ allocators }: PlanContext, family: IPFamily): string | undefined => allocators.addresses.firstOf(family)

const putAddress = ({ ledger, clock }: PlanContext, service: Service, address: string): void => {
  const key = ipAddressKey(address)
  ledger.conditions.push({ key, modRevision: 0 })
  ledger.writes.push({ type: 'put', key, value: encodeObject(ipAddressOf(service, address, clock.now())) })
}

const ipAddressOf = (service: Service, address: string, nowMs: number): IPAddress => ({
  apiVersion: `${ipAddressKind.group}/${ipAddressKind.version}`,
  kind: ipAddressKind.kind,
  metadata: {
    name: address,
    uid: randomUUID(),
    creationTimestamp: `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    labels: {
      'ipaddress.kubernetes.io/ip-family': address.includes(':') ? 'IPv6' : 'IPv4',
      'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
    },
  },
  spec: { parentRef: { group: '', resource: 'services', namespace: service.metadata.namespace, name: service.metadata.name } },
})

const releaseAddress = async ({ store, ledger }: PlanContext, old: Service, address: string): Promise<void> => {
  const entry = await store.get(ipAddressKey(canonicalText(address)))
  // An IPAddress that somebody else made meanwhile is not this Service's to delete.
  if (entry === undefined || !isParent(entry, old)) return
  ledger.conditions.push({ key: entry.key, modRevision: entry.modRevision })
  ledger.writes.push({ type: 'delete', key: entry.key })
}

const isParent = (entry: Entry, service: Service): boolean => {
  const object = decodeEntry(entry)
  if (!isIPAddress(object)) return false
  const { group, resource, namespace, name } = object.spec.parentRef
  return (
    (group ?? '') === '' && resource === 'services' && namespace === service.metadata.namespace && name === service.metadata.name
  )
}

const isIPAddress = (object: KubeObject): object is IPAddress => object.kind === ipAddressKind.kind
