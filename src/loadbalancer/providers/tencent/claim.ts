import type { Service } from '../../../api/index.ts'
import type { Claim, Placement, Problem } from '../../provider.ts'
import { ANNOTATIONS, type Finding, readAnnotations } from './annotations/index.ts'
import { existingKey, ownKey } from './marks.ts'
import { hasRecord } from './record.ts'

export interface ClaimOptions {
  /** The `loadBalancerClass` that is served beside Services that have none. */
  readonly loadBalancerClass: string
  readonly servesNoClass: boolean
}

/** Which load balancer a Service belongs to. What was made is never left for another one behind the user's back. */
export const claimOf = (service: Service, placed: Placement | undefined, options: ClaimOptions): Claim => {
  const { metadata, spec } = service
  const isOurs =
    spec.loadBalancerClass === undefined ? options.servesNoClass : spec.loadBalancerClass === options.loadBalancerClass
  if (!isOurs) return { kind: 'not-ours' }
  const annotations = metadata.annotations ?? {}
  const { settings, findings } = readAnnotations(annotations)
  const key = settings.existedId === undefined ? ownKey(metadata.uid ?? '') : existingKey(settings.existedId)
  const isMade = placed !== undefined && hasRecord(annotations, placed.token)
  if (isMade)
    return placed.key === key ? { kind: 'ours', key } : { kind: 'ours', key: placed.key, problems: [blockedSwitch(placed.key)] }
  const blocking = findings.filter(({ blocks }) => blocks !== undefined)
  return blocking.length > 0 ? { kind: 'refused', problems: blocking.map(problemOf) } : { kind: 'ours', key }
}

export const problemOf = ({ reason, message }: Finding): Problem => ({ reason, message })

const blockedSwitch = (key: string): Problem => ({
  reason: 'UnsafeSwitch',
  message: `the annotation ${ANNOTATIONS.existedId.key} asks for another load balancer than the one in use (${key}); nothing is changed. Make the type ClusterIP, wait until the load balancer is released, then LoadBalancer again`,
})
