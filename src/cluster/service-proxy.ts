import { type Backend, createProxy, type FrontendStatus, type Proxy as ServiceProxy } from '../proxy/index.ts'
import { type DataPlaneDeps, recorderOf } from './deps.ts'
import type { ClusterInformers } from './informers.ts'
import type { Substitution } from './status-file.ts'

/** Starts the Service proxy and keeps the substitutes of ports in the status. */
export const startProxy = async (deps: DataPlaneDeps, informers: ClusterInformers): Promise<ServiceProxy> => {
  const { options, clock, log, lifecycle, writer, serviceMode } = deps
  const update = (): void =>
    writer.update({
      substitutions: merge(
        writer.current().substitutions,
        ofServices(serviceMode.backend.exceptions(), options.firstBindablePort),
      ),
    })
  const soon = onceATurn(update)
  const backend: Backend = {
    ...serviceMode.backend,
    start: (signal, report) =>
      serviceMode.backend.start(signal, (status) => {
        report(status)
        soon()
      }),
  }
  const proxy = createProxy({
    services: informers.services,
    slices: informers.endpointSlices,
    nodes: informers.nodes,
    backend,
    ...(serviceMode.conntrack === undefined ? {} : { conntrack: serviceMode.conntrack }),
    nodeName: options.nodeName,
    nodePortAddresses: [...new Set([options.nodeAddress, '127.0.0.1'])],
    podCIDRs: [options.podCidr],
    nodeAddresses: [options.nodeAddress],
    recorder: recorderOf(deps, 'kube-proxy'),
    clock,
    log,
  })
  serviceMode.onForeignChange = () => proxy.auditSoon()
  await lifecycle.start(proxy)
  update()
  return proxy
}

/** A Service of 10,000 ports tells 10,000 statuses, and each look goes over all of them: many in one turn of the loop are one look. */
const onceATurn = (act: () => void): (() => void) => {
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    setImmediate(() => {
      isDue = false
      act()
    })
  }
}

const SERVICE = 'service '

/** The substitutes of Services are replaced by those of now; the others stay. */
const merge = (known: readonly Substitution[], ofNow: readonly Substitution[]): readonly Substitution[] => [
  ...known.filter(({ what }) => !what.startsWith(SERVICE)),
  ...ofNow,
]

const ofServices = (exceptions: readonly FrontendStatus[], firstBindablePort: number): readonly Substitution[] =>
  exceptions.flatMap((status): readonly Substitution[] => {
    if (status.state !== 'substituted') return []
    const { address, port, substitute, protocol, kind } = status
    const what = `${SERVICE}${status.namespace}/${status.name} ${kind} ${protocol}`
    return [{ what, address, port, substitute, reason: `an ordinary user may not bind ports below ${firstBindablePort}` }]
  })
