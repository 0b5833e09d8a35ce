import { isNotFound, type ServiceCIDR, sameValue, serviceCIDRKind } from '../../api/index.ts'
import { type Logger, UserError } from '../../base/index.ts'
import { type ApiPort, type Client, createInProcessClient } from '../../client/index.ts'
import { DEFAULT_SERVICE_CIDR } from '../allocators/index.ts'
import { SERVER_USER } from '../namespaces.ts'
import { ensureEndpoints } from './endpoints.ts'
import { ensureService } from './service.ts'

export interface BootstrapOptions {
  readonly port: ApiPort
  readonly log: Logger
  /** One range, or one of each family; the first is of the default family. */
  readonly serviceCIDRs: readonly string[]
  /** Where this API server answers, as pods reach it: an IP address and its HTTPS port. */
  readonly address: string
  readonly apiPort: number
}

/**
 * Makes what must be there before anybody uses the API: the ServiceCIDR `kubernetes`, the Service default/kubernetes at the first address,
 * and its endpoints at this server. Call it at every start: it changes only what differs. Throws a `UserError` when the folder's
 * ServiceCIDR is another one.
 */
export const bootstrap = async (options: BootstrapOptions): Promise<void> => {
  const client = createInProcessClient({ port: options.port, user: SERVER_USER, userAgent: 'apiserver' })
  await ensureServiceCIDR(client, options.serviceCIDRs)
  const service = await ensureService(client, options.apiPort)
  await ensureEndpoints(client, { address: options.address, apiPort: options.apiPort })
  options.log.info('bootstrap: default/kubernetes is up', {
    clusterIPs: service.spec.clusterIPs,
    address: options.address,
    port: options.apiPort,
  })
}

const ensureServiceCIDR = async (client: Client, cidrs: readonly string[]): Promise<ServiceCIDR> => {
  const ref = { name: DEFAULT_SERVICE_CIDR }
  try {
    const found = await client.get(serviceCIDRKind, ref)
    if (sameValue(found.spec.cidrs, cidrs)) return found
    // A second family may be added, everything else is for ever.
    const kept = (found.spec.cidrs ?? []).every((cidr, index) => cidr === cidrs[index])
    if (!kept || cidrs.length < (found.spec.cidrs ?? []).length) throw otherRange(found, cidrs)
    return await client.update(serviceCIDRKind, { ...found, spec: { cidrs } })
  } catch (error) {
    if (!isNotFound(error)) throw error
    return client.create(serviceCIDRKind, { metadata: ref, spec: { cidrs } })
  }
}

const otherRange = (found: ServiceCIDR, cidrs: readonly string[]): UserError =>
  new UserError(
    `the Services of this data folder have addresses in ${(found.spec.cidrs ?? []).join(',')}, not in ${cidrs.join(',')}; ` +
      'start with --service-cidr as before, or with another --data-dir',
  )
