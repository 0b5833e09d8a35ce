import { setMaxListeners } from 'node:events'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Clock, Logger, Running } from '../../base/index.ts'
import { createEventRecorder, type HttpClient } from '../../client/index.ts'
import type { Exec } from '../../host/index.ts'
import type { Libc } from '../../host/native/index.ts'
import {
  claimOfSharedNames,
  cleanupModes,
  createProxy,
  healthEndpoint,
  holderOfSharedNames,
  type ModeDeps,
  type ModeName,
  metricsEndpoint,
  type NodePortRange,
  type OpenedBackend,
  openBackend,
  type ProxySettings,
  type Proxy as ServiceProxy,
  sharesNames,
  withLoopbackNodePorts,
} from '../../proxy/index.ts'
import { connectProxy, proxyConnection, serviceCIDRsMissing } from './connect.ts'
import { applyConntrackSettings } from './conntrack-sysctls.ts'
import { type ProxyInformers, proxyInformers } from './informers.ts'
import { createMachine, localAddressesOf } from './machine.ts'
import { serve } from './servers.ts'
import { fixedServiceCIDRs, type ServiceCIDRs, watchedServiceCIDRs } from './service-cidrs.ts'

export interface RunOptions {
  readonly settings: ProxySettings
  /** Names what is made in the kernel. */
  readonly tableName: string
  readonly exec: Exec
  readonly libc?: Libc
  readonly clock: Clock
  readonly log: Logger
  /** Every Service carries traffic. */
  onReady(mode: string, reason: string): void
}

/**
 * A Service proxy for one node of any cluster, until `signal` aborts: rules of kernel modes stay then, traffic goes on. Rejects with `UserError`
 * when the API server does not answer at the start or the mode cannot be used; later the server may be away for as long as it likes.
 */
export const runProxy = async (options: RunOptions, signal: AbortSignal): Promise<void> => {
  const { settings, clock, log } = options
  const client = await connectProxy(await proxyConnection(settings), log)
  const running: Running[] = []
  const stop = new AbortController()
  const stopped = AbortSignal.any([signal, stop.signal])
  // One listener for each thing that runs: not a leak.
  setMaxListeners(0, stopped)
  try {
    const informers = await informersOf(options, client)
    for (const informer of Object.values(informers)) running.push(await informer.start(stopped))
    await applyConntrackSettings(settings.conntrack, log)
    const recorder = createEventRecorder({
      client,
      component: 'kube-proxy',
      host: settings.nodeName,
      clock,
      log,
      signal: stopped,
    })
    const state: State = {
      options,
      informers,
      recorder,
      ranges: rangesOf(settings, informers),
      registry: new Registry(),
      proxy: undefined,
    }
    running.push(...(await startServers(state, stopped)))
    await state.ranges.ready(stopped)
    for (let isFirst = true; !stopped.aborted; isFirst = false) await runOnce(state, isFirst, stopped)
  } catch (error) {
    // Told to stop while it waited for the caches.
    if (!signal.aborted) throw error
  } finally {
    stop.abort()
    await Promise.all(running.map((each) => each.stopped))
    await client.close()
  }
}

interface State {
  readonly options: RunOptions
  readonly informers: ProxyInformers
  readonly recorder: ReturnType<typeof createEventRecorder>
  readonly ranges: ServiceCIDRs
  readonly registry: Registry
  /** The one that runs now. */
  proxy: ServiceProxy | undefined
}

const informersOf = async ({ settings, clock, log }: RunOptions, client: HttpClient): Promise<ProxyInformers> => {
  const missing = settings.serviceCIDRs === undefined ? await serviceCIDRsMissing(client) : undefined
  if (missing !== undefined) log.warn('the ranges of ClusterIPs are not known; give them with --service-cidr', { error: missing })
  const withServiceCIDRs = settings.serviceCIDRs === undefined && missing === undefined
  return proxyInformers({ client, nodeName: settings.nodeName, withServiceCIDRs, clock, log })
}

const rangesOf = ({ serviceCIDRs = [] }: ProxySettings, informers: ProxyInformers): ServiceCIDRs =>
  informers.serviceCIDRs === undefined ? fixedServiceCIDRs(serviceCIDRs) : watchedServiceCIDRs(informers.serviceCIDRs)

const startServers = async (state: State, signal: AbortSignal): Promise<readonly Running[]> => {
  const { settings, clock, log } = state.options
  const common = { hardFail: settings.bindHardFail, clock, log }
  const starting = { isHealthy: false, isStarting: true, isNodeEligible: true }
  const health = healthEndpoint({
    health: () => state.proxy?.health() ?? starting,
    clock,
    answered: (path, code) => state.proxy?.metrics?.[path].inc({ code }),
  })
  const metrics = metricsEndpoint({
    registry: state.registry,
    mode: () => state.proxy?.mode ?? '',
    explain: (query) => state.proxy?.explain(query),
  })
  const wanted = [
    { flag: '--healthz-bind-address', endpoint: settings.healthz, handler: health },
    { flag: '--metrics-bind-address', endpoint: settings.metrics, handler: metrics },
  ]
  const running: Running[] = []
  for (const { endpoint, ...rest } of wanted) {
    if (endpoint !== undefined) running.push(await serve({ ...common, ...rest, endpoint }, signal))
  }
  return running
}

/** One life of the proxy: until `signal` aborts, or the ranges of ClusterIPs change, which a mode is told when it opens. The next one adopts what is there. */
const runOnce = async (state: State, isFirst: boolean, signal: AbortSignal): Promise<void> => {
  const { options, ranges } = state
  const { settings, log } = options
  const life = new AbortController()
  const stopListening = ranges.onChange(() => life.abort())
  const claim = new AbortController()
  let claimed: Running = { stopped: Promise.resolve() }
  try {
    const deps = await modeDeps(state)
    const opened = await openBackend(settings.mode, deps)
    const { mode, reason } = opened
    if (sharesNames(mode)) {
      claimed = await claimOfSharedNames(mode, `fairway proxy of node ${settings.nodeName}`).start(claim.signal)
    }
    log.info('proxy mode', { mode, reason, serviceCIDRs: deps.serviceCIDRs })
    if (isFirst) await removeOtherModes(deps, mode, log)
    const proxy = proxyOf(state, opened)
    state.proxy = proxy
    const ended = AbortSignal.any([signal, life.signal])
    setMaxListeners(0, ended)
    const { stopped } = await proxy.start(ended)
    if (isFirst && !signal.aborted) options.onReady(mode, reason)
    await stopped
  } finally {
    stopListening()
    claim.abort()
    await claimed.stopped
  }
}

const modeDeps = async (state: State): Promise<ModeDeps> => {
  const { settings, tableName, exec, libc, clock, log } = state.options
  const localAddresses = await localAddressesOf(exec, tableName)
  return {
    exec,
    ...(libc === undefined ? {} : { libc }),
    serviceCIDRs: state.ranges.current(),
    tableName,
    ...(localAddresses === undefined ? {} : { localAddresses }),
    clock,
    log,
    onForeignChange: () => state.proxy?.auditSoon(),
    // Loopback is served by sockets.
    iptables: { ...settings.iptables, localhostNodePorts: false },
    ipvs: settings.ipvs,
    ...(settings.ebpfCgroup === undefined ? {} : { ebpf: { cgroup: settings.ebpfCgroup } }),
  }
}

const removeOtherModes = async (deps: ModeDeps, mode: ModeName, log: Logger): Promise<void> => {
  // What another instance uses is not left over.
  const holder = sharesNames(mode) ? undefined : await holderOfSharedNames()
  const { removed, failed } = await cleanupModes(deps, mode, (other) => holder === undefined || !sharesNames(other))
  if (removed.length > 0) log.info('removed what another mode left', { removed })
  if (failed.length > 0) log.info('what another mode may have left could not be looked for or removed', { failed })
}

const proxyOf = (
  { options, informers, registry, recorder }: State,
  { mode, backend, conntrack }: OpenedBackend,
): ServiceProxy => {
  const { settings, clock, log } = options
  const { nodePortRanges = defaultRanges(mode, settings), pods, bindAddress } = settings
  const { services, slices, nodes } = informers
  // The one before has stopped; counters begin again, as after a restart.
  registry.clear()
  collectDefaultMetrics({ register: registry })
  return createProxy({
    services,
    slices,
    nodes,
    machine: createMachine({ nodePortRanges, pods, clock, ...(bindAddress === undefined ? {} : { bindAddress }) }),
    // A mode that binds sockets needs no help with loopback.
    backend: backend.supports.has('Substitutes') ? backend : withLoopbackNodePorts(backend, { clock }),
    ...(conntrack === undefined ? {} : { conntrack }),
    nodeName: settings.nodeName,
    nodePortAddresses: [],
    masqueradeAll: takesIptables(mode) ? settings.masqueradeAll.iptables : settings.masqueradeAll.nftables,
    clock,
    log,
    recorder,
    registry,
    ...(settings.auditIntervalMs === undefined ? {} : { auditIntervalMs: settings.auditIntervalMs }),
  })
}

/** kube-proxy's default of `--nodeport-addresses` differs by mode; on loopback we serve them with sockets, not with `route_localnet` (CVE-2020-8558). */
const defaultRanges = (mode: ModeName, { iptables }: ProxySettings): readonly NodePortRange[] => {
  if (!takesIptables(mode)) return [{ kind: 'primary' }]
  const onLoopback = mode === 'iptables' && iptables.localhostNodePorts !== false
  return [{ kind: 'all' }, ...(onLoopback ? [{ kind: 'localhost' as const }] : [])]
}

/** As kube-proxy: ipvs has its masquerading in iptables. */
const takesIptables = (mode: ModeName): boolean => mode === 'iptables' || mode === 'ipvs'
