import { errorMessage } from '../../base/index.ts'
import { type Exec, HostError } from '../../host/index.ts'
import type { Ipvs, Scheduler } from './objects.ts'
import { parseLoads, parseSaved, parseTimeouts } from './read-back.ts'
import { renderOperations, serverWords } from './render.ts'

const COMMIT_TIMEOUT_MS = 120_000
/** 50,000 Services × 5 endpoints are about 20 MB. */
const MAX_LISTING = 1024 * 1024 * 1024
/** What `ipvsadm` answers for whatever the kernel refuses: the one or the other. */
const REFUSED = [1, 255]
/** How `ipvsadm --set` is told to leave a timeout alone. */
const UNCHANGED = 0
/** Only for the probe: nothing marks packets so. */
const PROBE_MARK = 2_147_483_646

/** {@link Ipvs} through Debian's `ipvsadm`, in the network namespace that `exec` acts in. Needs CAP_NET_ADMIN. */
export const createIpvs = (exec: Exec): Ipvs => {
  const restore = async (stdin: string): Promise<void> => {
    const { stderr } = await exec(['ipvsadm', '--restore'], { stdin, timeoutMs: COMMIT_TIMEOUT_MS })
    // Its exit code is that of the last line only.
    if (stderr.trim() === '') return
    throw new HostError(`ipvsadm --restore: ${stderr.trim().slice(0, 2_000)}`, {
      code: 'EEXIT',
      command: ['ipvsadm', '--restore'],
      exitCode: 0,
      stderr,
    })
  }
  return {
    async probe(scheduler) {
      try {
        await restore(`-A -f ${PROBE_MARK} -s ${scheduler}\n-D -f ${PROBE_MARK}\n`)
        return undefined
      } catch (error) {
        if (!(error instanceof HostError)) throw error
        return obstacle(error, scheduler)
      }
    },
    async commit(operations) {
      if (operations.length > 0) await restore(renderOperations(operations))
    },
    async read(signal) {
      try {
        const { stdout } = await exec(['ipvsadm', '--save', '--numeric'], {
          timeoutMs: COMMIT_TIMEOUT_MS,
          maxOutputBytes: MAX_LISTING,
          ...(signal === undefined ? {} : { signal }),
        })
        return parseSaved(stdout)
      } catch (error) {
        signal?.throwIfAborted()
        throw new Error(`ipvs: virtual servers cannot be read: ${errorMessage(error)}`, { cause: error })
      }
    },
    async timeouts() {
      const { stdout } = await exec(['ipvsadm', '--list', '--timeout'])
      return parseTimeouts(stdout)
    },
    async setTimeouts({ tcp = UNCHANGED, tcpFin = UNCHANGED, udp = UNCHANGED }) {
      await exec(['ipvsadm', '--set', ...[tcp, tcpFin, udp].map(String)])
    },
    async loads(server) {
      const [flag = '', target = ''] = serverWords(server).split(' ')
      const { stdout, stderr, code } = await exec(['ipvsadm', '--list', '--numeric', '--exact', flag, target], {
        okCodes: [0, ...REFUSED],
      })
      if (code === 0) return parseLoads(stdout)
      if (/No such service/.test(stderr)) return undefined
      throw new Error(`ipvs: connections of ${flag} ${target} cannot be read: ${stderr.trim()}`)
    },
  }
}

const obstacle = (error: HostError, scheduler: Scheduler): string => {
  if (error.code === 'ENOENT') return error.message
  if (/must be root|not permitted|Permission denied/i.test(error.stderr)) {
    return 'ipvs: no permission to change virtual servers; run as root or grant CAP_NET_ADMIN'
  }
  if (/Scheduler .*not found/.test(error.stderr)) {
    return `ipvs: the kernel has no scheduler ${scheduler}; load module ip_vs_${scheduler}, or choose another --ipvs-scheduler`
  }
  if (/initialize ipvs|Protocol not available/i.test(error.stderr)) {
    return 'ipvs: the kernel lacks it; load module ip_vs, or choose another --proxy-mode'
  }
  return `ipvs: cannot be used: ${errorMessage(error).slice(0, 300)}`
}
