import { access, constants, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, type Logger, UserError } from '../base/index.ts'
import type { Host } from '../host/index.ts'
import { loadLibc } from '../host/native/index.ts'
import { instanceTag } from '../kernel/link/index.ts'
import {
  type Backend,
  type CleanupReport,
  cleanupModes,
  createLocalAddresses,
  holderOfSharedNames,
  type ModeDeps,
  type ModeName,
  type OpenedBackend,
  openBackend,
  PROXY_MODES,
  sharesNames,
  withLoopbackNodePorts,
} from '../proxy/index.ts'
import type { ClusterOptions } from './options.ts'

/** How this instance carries Services. */
export interface ServiceMode extends OpenedBackend {
  /** The kernel carries them: addresses of Services are no addresses of this machine, and rules stay when this process is killed. */
  readonly isInKernel: boolean
  /** Removes what another mode of an earlier run left, and remembers this one. */
  takeOver(): Promise<void>
  /** Called when somebody else changed what the mode keeps in the kernel. */
  onForeignChange: () => void
}

export interface ServiceModeRequest {
  readonly host: Host
  readonly options: Pick<ClusterOptions, 'dataDir' | 'network' | 'podCidr' | 'proxyMode' | 'serviceCidrs'>
  readonly clock: Clock
  readonly log: Logger
}

/** Chooses the mode; changes nothing on the machine. Rejects with `UserError` in one line when the one that was named cannot be used. */
export const openServiceMode = async (request: ServiceModeRequest): Promise<ServiceMode> => {
  const { options, clock, log } = request
  const foreign: Pick<ServiceMode, 'onForeignChange'> = { onForeignChange: () => {} }
  const deps = { ...(await modeDeps(request)), onForeignChange: () => foreign.onForeignChange() }
  const opened = await open(options, deps)
  const { mode, backend, reason } = opened
  // A mode that binds sockets needs no help with loopback, and no rules.
  const isInKernel = !backend.supports.has('Substitutes')
  log.info('proxy mode', { mode, reason })
  return Object.assign(foreign, {
    ...opened,
    backend: isInKernel ? takesRulesAlong(withLoopbackNodePorts(backend, { clock })) : backend,
    isInKernel,
    async takeOver() {
      // Who may not make anything has left nothing.
      if (deps.localAddresses !== undefined) {
        const { removed, failed } = await removeRules(deps, options.dataDir, mode)
        if (removed.length > 0) log.info('removed what another proxy mode left', { removed })
        if (failed.length > 0) log.warn('what another proxy mode left could not be removed', { failed })
      }
      await writeFile(recordOf(options.dataDir), `${mode}\n`, { mode: 0o600 })
    },
  })
}

/** Removes what the modes of a killed instance left. */
export const removeModes = async (request: ServiceModeRequest): Promise<CleanupReport> => {
  const { dataDir } = request.options
  const report = await removeRules(await modeDeps(request), dataDir)
  if (report.failed.length === 0) await rm(recordOf(dataDir), { force: true })
  return report
}

/** Names that all instances share are looked at only where this one has used them and nobody else does now. Who keeps them has claimed them. */
const removeRules = async (deps: ModeDeps, dataDir: string, keep?: ModeName): Promise<CleanupReport> => {
  const last = (await readFile(recordOf(dataDir), 'utf8').catch(() => '')).trim()
  const lastMode = PROXY_MODES.find((mode) => mode !== 'auto' && mode === last)
  const hasShared = lastMode !== undefined && lastMode !== 'auto' && sharesNames(lastMode)
  const mayShare = hasShared && ((keep !== undefined && sharesNames(keep)) || (await holderOfSharedNames()) === undefined)
  return cleanupModes(deps, keep, (mode) => mayShare || !sharesNames(mode))
}

/** The mode of the last start; what it made outlives the process when that is killed. */
const recordOf = (dataDir: string): string => join(dataDir, 'proxy-mode')

/** Where the network of pods cannot serve the kernel's modes, only sockets are left. */
const open = async (options: ServiceModeRequest['options'], deps: ModeDeps): Promise<OpenedBackend> => {
  const obstacle = options.proxyMode === 'userspace' ? undefined : await kernelObstacle(options)
  if (obstacle === undefined) return openBackend(options.proxyMode, deps)
  if (options.proxyMode !== 'auto') throw new UserError(`--proxy-mode=${options.proxyMode} cannot be used here: ${obstacle}`)
  const opened = await openBackend('userspace', deps)
  return { ...opened, reason: `${opened.reason}; the kernel cannot carry Services: ${obstacle}` }
}

const kernelObstacle = async ({ network, podCidr }: ServiceModeRequest['options']): Promise<string | undefined> => {
  if (network.kind === 'loopback') return `pods share this machine's network: ${network.reason}`
  if (podCidr.includes(':')) return 'pods have IPv6 addresses, and forwarding of IPv6 has one switch for the whole machine'
  const isWritable = await access(FORWARDING, constants.W_OK).then(
    () => true,
    () => false,
  )
  return isWritable ? undefined : `${FORWARDING} and its like cannot be written; mount /proc/sys writable`
}

const FORWARDING = '/proc/sys/net/ipv4/conf/default/forwarding'

const modeDeps = async ({ host, options, clock, log }: ServiceModeRequest): Promise<ModeDeps> => {
  const libc = await loadLibc()
  const tag = instanceTag(options.dataDir)
  const { netAdmin, tools } = await host.capabilities()
  return {
    exec: host.exec,
    ...('missing' in libc ? {} : { libc }),
    serviceCIDRs: options.serviceCidrs,
    tableName: `fairway-${tag}`,
    ...(netAdmin && tools.has('ip') ? { localAddresses: createLocalAddresses(host.exec, tag) } : {}),
    clock,
    log,
  }
}

/** A proxy that stays leaves its rules when it ends, so that traffic goes on; this one's pods end with it. */
const takesRulesAlong = (backend: Backend): Backend => ({
  ...backend,
  async start(signal, report) {
    const { stopped } = await backend.start(signal, report)
    return { stopped: stopped.then(() => backend.cleanup()) }
  },
})
