import type { AcmeOptions } from '../../ingress/index.ts'
import type { AcmeSettings } from './settings.ts'

/** Where the replicas of one election keep what they share. */
export const acmePlace = (
  { namespace }: AcmeSettings,
  lease: { readonly namespace: string; readonly name: string },
): AcmeOptions['place'] => ({ namespace: namespace ?? lease.namespace, instance: lease.name })
