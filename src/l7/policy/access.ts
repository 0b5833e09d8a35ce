import type { AccessPolicy } from '../table/index.ts'
import { AddressSet } from './client-address.ts'

/**
 * `allowed`: named by an allow list; `denied`: in `deny`, or left out of an allow list; `unnamed`: there is only a deny list and it does not
 * name the client, which lets it through but is no pass for `satisfy: any` (nginx declines there, too).
 */
export type Access = 'allowed' | 'denied' | 'unnamed'

export const compileAccess = (access: AccessPolicy): ((clientAddress: string) => Access) => {
  const allow = access.allow && new AddressSet(access.allow)
  const deny = new AddressSet(access.deny ?? [])
  return (address) => {
    if (deny.has(address)) return 'denied'
    if (allow === undefined) return 'unnamed'
    return allow.has(address) ? 'allowed' : 'denied'
  }
}
