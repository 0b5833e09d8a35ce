import { readFile } from 'node:fs/promises'
import { createControllers } from '../controllers/index.ts'
import { createDns, parseNameServers, type RunningDns } from '../dns/index.ts'
import { CONTROLLER_NAME, type IngressController } from '../ingress/index.ts'
import { createCatalogue, createNode, type Traffic } from '../node/index.ts'
import type { Proxy as ServiceProxy } from '../proxy/index.ts'
import { dnsServiceAddress, ensureAddons } from './addons.ts'
import { type DataPlaneDeps, recorderOf } from './deps.ts'
import { type ClusterInformers, createInformers } from './informers.ts'
import { startIngress } from './ingress-controller.ts'
import { startLoadBalancers } from './load-balancers.ts'
import { networkWatch } from './pod-network.ts'
import { startProxy } from './service-proxy.ts'
import { createTraffic } from './traffic.ts'

export interface DataPlane {
  readonly proxy: ServiceProxy
  readonly ingress: IngressController
}

/** Starts what follows the API and carries traffic; what is started later is stopped earlier. */
export const startDataPlane = async (deps: DataPlaneDeps): Promise<DataPlane> => {
  const { control, lifecycle, clock, log, onStep, options, writer } = deps
  const informers = createInformers({ client: control.clientFor('informers'), clock, log })
  for (const { kind, informer } of informers.all) {
    await lifecycle.start({ name: `informer of ${kind.plural}`, start: (signal) => informer.start(signal) })
  }
  onStep('controllers')
  for (const controller of createControllers({ client: control.clientFor('controllers'), informers, clock, log })) {
    await lifecycle.start(controller)
  }
  onStep('dns')
  const dns = await startDns(deps, informers)
  writer.update({ dns: `${dns.address}:${dns.port}` })
  const [serviceCidr = ''] = options.serviceCidrs
  await ensureAddons(control.client, { serviceCidr, dns, ingressController: CONTROLLER_NAME })
  onStep('proxy')
  const proxy = await startProxy(deps, informers)
  await startLoadBalancers(deps, informers)
  onStep('ingress')
  const ingress = await startIngress(deps, informers)
  onStep('node')
  const tellNetwork = await watchNetwork(deps)
  await startNode(deps, informers, { dns, traffic: createTraffic(informers.endpointSlices, [proxy, ingress]) })
  tellSubstitutions(deps, informers)
  tellNetwork((message) => tellNode(deps, informers, { component: 'kubelet', reason: 'PodNetworkLimited', message }))
  return { proxy, ingress }
}

/**
 * Keeps in the status what pods have to do without. What is returned takes who tells it as Events of the Node, once there is one; they are told again
 * when they differ.
 */
const watchNetwork = async ({
  network,
  clock,
  lifecycle,
  writer,
}: DataPlaneDeps): Promise<(tell: (note: string) => void) => void> => {
  const { notes: others } = writer.current()
  let known: readonly string[] = []
  let tellNote: (note: string) => void = () => {}
  const tell = (notes: readonly string[]): void => {
    for (const note of notes) if (!known.includes(note)) tellNote(note)
    known = notes
    writer.update({ notes: [...others, ...notes] })
  }
  await lifecycle.start(networkWatch({ network, clock, tell }))
  return (listener) => {
    tellNote = listener
    for (const note of known) listener(note)
  }
}

interface NodeWarning {
  readonly component: string
  readonly reason: string
  readonly message: string
}

const tellNode = (deps: DataPlaneDeps, informers: ClusterInformers, { component, reason, message }: NodeWarning): void => {
  const node = informers.nodes.get(undefined, deps.options.nodeName)
  if (node) recorderOf(deps, component).event(node, { type: 'Warning', reason, message })
}

/** The Ingress' substitutes as Events of the Node; those of Services are told by the proxy. */
const tellSubstitutions = (deps: DataPlaneDeps, informers: ClusterInformers): void => {
  const substitutions = deps.writer.current().substitutions.filter(({ what }) => what.startsWith('ingress'))
  for (const { what, address, port, substitute, reason } of substitutions) {
    const message = `${what}: ${address}:${port} is served on port ${substitute}: ${reason}`
    tellNode(deps, informers, { component: 'fairway-ingress', reason: 'PortSubstituted', message })
  }
}

const startDns = async ({ options, lifecycle, clock, log }: DataPlaneDeps, informers: ClusterInformers): Promise<RunningDns> => {
  const resolvConf = await readFile('/etc/resolv.conf', 'utf8').catch(() => '')
  const [serviceCidr = ''] = options.serviceCidrs
  const dns = createDns({
    ...informers,
    domain: options.clusterDomain,
    address: options.nodeAddress,
    port: 0,
    upstreams: parseNameServers(resolvConf, [dnsServiceAddress(serviceCidr)]),
    clock,
    log,
  })
  return lifecycle.start(dns)
}

interface Surroundings {
  readonly dns: RunningDns
  readonly traffic: Traffic
}

const startNode = async (deps: DataPlaneDeps, informers: ClusterInformers, { dns, traffic }: Surroundings): Promise<void> => {
  const { options, host, clock, log, lifecycle, control, podLogs } = deps
  const domain = options.clusterDomain
  const isNetns = options.network.kind === 'netns'
  const [serviceCidr = ''] = options.serviceCidrs
  const node = createNode({
    client: control.clientFor('node'),
    host,
    podInformer: informers.pods,
    serviceInformer: informers.services,
    configMapInformer: informers.configMaps,
    secretInformer: informers.secrets,
    network: deps.network,
    traffic,
    nodeName: options.nodeName,
    dataDir: options.dataDir,
    catalogue: createCatalogue({ file: options.images }),
    clock,
    log,
    recorder: recorderOf(deps, 'kubelet'),
    // Without namespaces port 53 may be out of reach and resolv.conf is the machine's: pods are told the server itself.
    dns: isNetns
      ? { address: dnsServiceAddress(serviceCidr), port: 53, domain }
      : { address: dns.address, port: dns.port, domain },
  })
  await lifecycle.start(node)
  podLogs.connect(node)
}
