import { type Clock, realClock, sleep, UserError } from '../../../base/index.ts'
import type { Bpf } from '../../../kernel/bpf/index.ts'
import { auditParts } from '../../audit-parts.ts'
import type { Backend, FrontendStatus } from '../../backend.ts'
import { attachedPrograms, detachAll } from './apply.ts'
import { DEFAULT_LIMITS, type Limits } from './layout.ts'
import { probeBpf } from './probe.ts'
import { programName } from './programs/index.ts'
import { createSockets, type FreeSockets, type Sockets } from './sockets.ts'

export interface EbpfBackendOptions {
  readonly bpf: Bpf
  /** Carries what comes from outside, and all that the programs leave alone. */
  readonly inner: Backend
  /** Folder of the cgroup whose processes are served; the root of the tree unless told. */
  readonly cgroup?: string
  /** Of the programs; `fairway` unless told. Instances on one machine need their own. */
  readonly instance?: string
  readonly limits?: Limits
  /** Ends the UDP sockets that are connected to an endpoint, so that their programs connect again; nothing unless told. */
  readonly freeSockets?: FreeSockets
  readonly clock?: Clock
}

/**
 * Carries Services where sockets connect: programs on a cgroup rewrite what processes of the node ask for, once for each connection; the
 * inner backend carries the rest. Both are told everything, the programs first. Stopping leaves the programs: traffic goes on.
 */
export const createEbpfBackend = (options: EbpfBackendOptions): Backend => {
  const {
    bpf,
    inner,
    cgroup,
    instance = 'fairway',
    limits = DEFAULT_LIMITS,
    freeSockets = async () => {},
    clock = realClock,
  } = options
  const place = { bpf, cgroup, name: programName(instance) }
  const sockets = createSockets({ ...place, limits, freeSockets })
  let report: (status: FrontendStatus) => void = () => {}
  return {
    mode: 'ebpf',
    supports: inner.supports,
    async start(signal, tell) {
      const offer = await probeBpf(bpf, cgroup)
      if ('refusal' in offer) throw new UserError(`ebpf: ${offer.refusal}`)
      report = tell
      const running = await inner.start(signal, tell)
      const looking = lookForPods(sockets, clock, signal)
      const stopped = Promise.all([running.stopped, looking]).finally(() => sockets.close())
      return { stopped: stopped.then(() => {}) }
    },
    async sync(change) {
      // What the programs no longer know they leave to the inner backend, so it comes second.
      await both(
        () => sockets.sync(change),
        () => inner.sync(change),
      )
      for (const status of sockets.transitions()) report(status)
      // Sockets are freed when nothing leads them back.
      await sockets.free()
    },
    exceptions: () => [...sockets.leftOut(), ...inner.exceptions()],
    audit: (signal) => auditParts([sockets.audit, inner.audit], signal),
    trace: (packet) => sockets.trace(packet) ?? inner.trace(packet),
    async cleanup() {
      await both(
        () => detachAll(place),
        () => inner.cleanup(),
      )
      sockets.close()
    },
  }
}

/** How long a new pod's connections may be left to the inner backend. */
const LOOK_INTERVAL_MS = 10_000

/** A look that fails is followed by another; the next audit tells why. */
const lookForPods = async (sockets: Sockets, clock: Clock, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    await sleep(clock, LOOK_INTERVAL_MS, signal)
    if (!signal.aborted) await sockets.findPods().catch(() => {})
  }
}

/** One after the other; each gets its turn, whatever becomes of the other. */
const both = async <T>(first: () => Promise<T>, second: () => Promise<T>): Promise<readonly T[]> => {
  const results = [...(await Promise.allSettled([first()])), ...(await Promise.allSettled([second()]))]
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

/** What an instance left on the cgroup, for people: `program fairway at connect4 of cgroup v2 at /sys/fs/cgroup`. */
export const ebpfLeftovers = ({
  bpf,
  cgroup,
  instance = 'fairway',
}: Pick<EbpfBackendOptions, 'bpf' | 'cgroup' | 'instance'>): Promise<readonly string[]> =>
  attachedPrograms({ bpf, cgroup, name: programName(instance) })
