import { join } from 'node:path'
import { scheme } from '../api/index.ts'
import {
  type ApiServer,
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
import { aborted, type Running, VERSION } from '../base/index.ts'
import { type Client, createInProcessClient } from '../client/index.ts'
import { openLmdbStore, type Store } from '../store/index.ts'
import type { ControlPlane, PartsDeps } from './deps.ts'
import type { ClusterOptions } from './options.ts'

/** `PartsDeps` without what comes later. */
type ControlPlaneDeps = Omit<PartsDeps, 'host' | 'writer'>

/** Opens the store, starts the API server on it, and writes the kubeconfig. */
export const startControlPlane = async (deps: ControlPlaneDeps): Promise<ControlPlane> => {
  const { options, lifecycle, clock, log, onStep } = deps
  onStep('store')
  const { store } = await lifecycle.start(openStore(deps))
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
  const { address } = await lifecycle.start(listening(server, certificates, options))
  const { port } = address
  const url = `https://${options.api.address}:${port}`
  await bootstrap({ port: server, log, serviceCIDRs: options.serviceCidrs, address: options.api.address, apiPort: port })
  const clientFor = (component: string): Client =>
    createInProcessClient({ port: server, user: systemUser(component), userAgent: component })
  await lifecycle.start(createServiceCIDRFinalizer({ client: clientFor('service-cidr-finalizer'), allocators, clock, log }))
  const kubeconfig = join(options.dataDir, 'kubeconfig')
  await writeAdminKubeconfig(kubeconfig, url, certificates)
  return { client: clientFor('fairway'), kubeconfig, url, clientFor }
}

interface RunningStore extends Running {
  readonly store: Store
}

const openStore = ({ options, clock, log }: ControlPlaneDeps) => ({
  name: 'store',
  async start(signal: AbortSignal): Promise<RunningStore> {
    const store = await openLmdbStore({ path: join(options.dataDir, 'store'), clock, log })
    return { store, stopped: aborted(signal).then(() => store.close()) }
  },
})

const listening = (server: ApiServer, certificates: Certificates, { api }: ClusterOptions) => ({
  name: 'https',
  async start(signal: AbortSignal) {
    const subjects = [api.address, '127.0.0.1', 'localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
    const certificate = await certificates.server(subjects)
    return server.listen({ host: api.address, port: api.port, authority: certificates.authority, certificate }, signal)
  },
})

const writeAdminKubeconfig = async (file: string, server: string, certificates: Certificates): Promise<void> => {
  const client = await certificates.client({ file: 'admin', commonName: 'fairway-admin', organizations: ['system:masters'] })
  await writeKubeconfig(file, { name: 'fairway', user: 'fairway-admin', server, authority: certificates.authority, client })
}

const systemUser = (component: string) => ({ name: `system:${component}`, groups: ['system:masters'] })
