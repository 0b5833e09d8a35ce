import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { errorMessage, type Logger } from '../../base/index.ts'
import type { ConntrackSettings } from '../../proxy/index.ts'

export interface Sysctl {
  /** Below `/proc/sys`. */
  readonly name: string
  readonly value: number
  /** Only where it is lower now. */
  readonly isFloor?: boolean
}

/** kube-proxy's, where only the number for each core is told. */
const DEFAULT_MIN = 131_072

/** What the settings mean for the kernel; zero leaves a value as it is. Pure. */
export const conntrackSysctls = (settings: ConntrackSettings, cores: number): readonly Sysctl[] => {
  const { maxPerCore = 0, min = DEFAULT_MIN } = settings
  const seconds = (name: string, ms: number | undefined): readonly Sysctl[] =>
    ms === undefined || ms <= 0 ? [] : [{ name: `net/netfilter/nf_conntrack_${name}`, value: Math.ceil(ms / 1_000) }]
  return [
    // An administrator who raised it had a reason: unlike kube-proxy this never lowers it.
    ...(maxPerCore === 0
      ? []
      : [{ name: 'net/netfilter/nf_conntrack_max', value: Math.max(maxPerCore * cores, min), isFloor: true }]),
    ...seconds('tcp_timeout_established', settings.tcpEstablishedTimeoutMs),
    ...seconds('tcp_timeout_close_wait', settings.tcpCloseWaitTimeoutMs),
    ...seconds('udp_timeout', settings.udpTimeoutMs),
    ...seconds('udp_timeout_stream', settings.udpStreamTimeoutMs),
    ...(settings.tcpBeLiberal === true ? [{ name: 'net/netfilter/nf_conntrack_tcp_be_liberal', value: 1 }] : []),
  ]
}

/** Writes what differs; what cannot be written is a warning, never a failure: traffic flows without it. */
export const applyConntrackSettings = async (settings: ConntrackSettings, log: Logger): Promise<void> => {
  for (const { name, value, isFloor } of conntrackSysctls(settings, availableParallelism())) {
    const path = `/proc/sys/${name}`
    try {
      const now = Number(await readFile(path, 'utf8'))
      if (now === value || (isFloor === true && now >= value)) continue
      await writeFile(path, String(value))
      log.info('sysctl written', { name, value, before: now })
    } catch (error) {
      log.warn('sysctl not written; set it by hand, or run as root', { name, value, error: errorMessage(error) })
    }
  }
}
