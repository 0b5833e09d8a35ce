import { type Ingress, type IngressLoadBalancerIngress, ingressKind, isNotFound } from '../api/index.ts'
import type { Client } from '../client/index.ts'
import { split } from './snapshot.ts'

/** Where clients find the Ingress: an address or a DNS name. */
export type StatusAddress = { readonly ip: string } | { readonly hostname: string }

export type StatusEntries = readonly IngressLoadBalancerIngress[]

/** What an Ingress's status must become, or undefined when it is right already. Entries of ours alone are ever written or removed. */
export const desiredStatus = (ingress: Ingress, wanted: StatusEntries): StatusEntries | undefined => {
  const present = ingress.status?.loadBalancer?.ingress ?? []
  return sameEntries(present, wanted) ? undefined : wanted
}

const sameEntries = (a: StatusEntries, b: StatusEntries): boolean =>
  a.length === b.length &&
  a.every((entry, i) => (entry.ip ?? '') === (b[i]?.ip ?? '') && (entry.hostname ?? '') === (b[i]?.hostname ?? ''))

/** Writes the status; an Ingress that is gone needs none. */
export const writeStatus = async (client: Client, key: string, entries: StatusEntries): Promise<void> => {
  const [namespace, name] = split(key)
  const value = { status: { loadBalancer: { ingress: entries.length === 0 ? null : entries } } }
  try {
    await client.patch(ingressKind, { namespace, name }, { type: 'merge', value }, { subresource: 'status' })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
