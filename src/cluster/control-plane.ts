import { join } from 'node:path'
import { scheme } from '../api/index.ts'
import {
  bootstrap,
  type Certificates,
  createAllocators,
  createApiServer,
  createServiceCIDRFinalizer,
  createServiceStrategy,
  ipAddressStrategy,
  openCertificates,
  serviceCidrStrategy,
  writeKubeconfig,
} from '../apiserver/index.ts'
import { VERSION } from '../base/index.ts'
import { type Client, createInProcessClient } from '../client/index.ts'
import type { Store } from '../store/index.ts'
import type { ControlPlane, PartsDeps } from './deps.ts'
import type { ClusterOptions } from './options.ts'
import { serviceAddress } from './service-address.ts'

/** `PartsDeps` without what comes later. */
type ControlPlaneDeps = Omit<PartsDeps, 'host' | 'writer' | 'network' | 'serviceMode'> & { readonly store: Store }

/** Starts the API server on the store, and writes the kubeconfig. */
export const startControlPlane = async (deps: ControlPlaneDeps): Promise<ControlPlane> => {
  const { options, lifecycle, clock, log, onStep } = deps
  const { store } = deps
  const allocators = createAllocators({ store, clock, log })
  await lifecycle.start({ name: 'allocators', start: (signal) => allocators.start(signal) })
  onStep('api server')
  const strategies = [createServiceStrategy({ store, clock, allocators }), serviceCidrStrategy, ipAddressStrategy]
  const server = createApiServer({
    store,
    kinds: scheme,
    strategies,
    clock,
    log,
    podLogs: deps.podLogs,
    version: VERSION,
  })
  await lifecycle.start(server)
  const certificates = await openCertificates({ path: join(options.dataDir, 'pki'), clock })
  const certificate = await certificates.server(subjectsOf(options))
  const listenOn = async (host: string, wanted: number): Promise<number> => {
    const request = { host, port: wanted, authority: certificates.authority, certificate }
    const { address } = await lifecycle.start({ name: `https on ${host}`, start: (signal) => server.listen(request, signal) })
    return address.port
  }
  const port = await listenOn(options.api.address, options.api.port)
  // Where pods reach it: 127.0.0.1 is their own.
  if (options.nodeAddress !== options.api.address) await listenOn(options.nodeAddress, port)
  const url = `https://${options.api.address}:${port}`
  await bootstrap({ port: server, log, serviceCIDRs: options.serviceCidrs, address: options.nodeAddress, apiPort: port })
  const clientFor = (component: string): Client =>
    createInProcessClient({ port: server, user: systemUser(component), userAgent: component })
  await lifecycle.start(createServiceCIDRFinalizer({ client: clientFor('service-cidr-finalizer'), allocators, clock, log }))
  const kubeconfig = join(options.dataDir, 'kubeconfig')
  await writeAdminKubeconfig(kubeconfig, url, certificates)
  return { client: clientFor('fairway'), kubeconfig, url, clientFor }
}

/** Every name and address that clients may have for it: users, pods, and the Service default/kubernetes. */
const subjectsOf = ({ api, nodeAddress, serviceCidrs, clusterDomain }: ClusterOptions): readonly string[] => {
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${clusterDomain}`]
  const serviceAddresses = serviceCidrs.map((cidr) => serviceAddress(cidr, KUBERNETES_OFFSET))
  return [api.address, nodeAddress, '127.0.0.1', 'localhost', ...names, ...serviceAddresses]
}

/** default/kubernetes has the first address of the range. */
const KUBERNETES_OFFSET = 1n

const writeAdminKubeconfig = async (file: string, server: string, certificates: Certificates): Promise<void> => {
  const client = await certificates.client({ file: 'admin', commonName: 'fairway-admin', organizations: ['system:masters'] })
  await writeKubeconfig(file, { name: 'fairway', user: 'fairway-admin', server, authority: certificates.authority, client })
}

const systemUser = (component: string) => ({ name: `system:${component}`, groups: ['system:masters'] })
