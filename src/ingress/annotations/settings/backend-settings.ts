import { createHash } from 'node:crypto'
import type { Ingress } from '../../../api/index.ts'
import type { Backend, BackendTls, HealthCheck } from '../../../l7/table/index.ts'
import type { Values } from '../table.ts'
import { backendTls } from '../themes/backend-tls.ts'
import { healthCheck } from '../themes/health.ts'
import type { Referred } from './references.ts'

/** How the pods of a Service port are reached, where annotations say so. */
export interface BackendSettings {
  readonly protocol?: NonNullable<Backend['protocol']>
  readonly balance?: NonNullable<Backend['balance']>
  readonly tls?: BackendTls
  /** Secret (`namespace/name`) with authorities and our own certificate. */
  readonly tlsSecret?: string
  /** The Secret that was asked for may not be: the pods are not asked. */
  readonly tlsRefused?: true
  readonly health?: HealthCheck
  readonly slowStartMs?: number
  /** One endpoint, the ClusterIP, in place of the pods. */
  readonly serviceUpstream?: true
  /** Service (`namespace/name`) that takes over when this one has no endpoints. */
  readonly standIn?: string
}

export const backendSettings = (ingress: Ingress, values: Values, { secrets }: Referred): BackendSettings => {
  const tls = backendTls(values)
  const tlsSecret = secrets.get('proxy-ssl-secret')
  const protocol = values['backend-protocol']
  const balance = values['load-balance']
  const health = healthCheck(values)
  const slowStartMs = values['slow-start']
  const standIn = values['default-backend']
  return {
    ...(protocol && { protocol }),
    ...(balance && { balance }),
    ...(tls && { tls: tls.tls }),
    ...(tlsSecret && { tlsSecret }),
    ...(tls?.secret && tlsSecret === undefined && { tlsRefused: true as const }),
    ...(health && { health }),
    ...(slowStartMs && { slowStartMs }),
    ...(values['service-upstream'] && { serviceUpstream: true as const }),
    ...(standIn && { standIn: `${ingress.metadata.namespace ?? ''}/${standIn}` }),
  }
}

/** Tells backends of one Service port apart by their settings; empty without any. */
export const settingsId = (settings: BackendSettings): string => {
  if (Object.keys(settings).length === 0) return ''
  return `~${createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 10)}`
}
