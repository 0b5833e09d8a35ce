import { auditParts } from '../audit-parts.ts'
import type { Backend } from '../backend.ts'
import { createUserspaceBackend, type UserspaceBackendOptions } from '../backends/userspace/index.ts'
import { isLoopbackAddress, splitChange } from './desired.ts'

/** As the userspace backend's own. */
export type LoopbackNodePortsOptions = Omit<UserspaceBackendOptions, 'serviceCIDRs' | 'localAddresses'>

/**
 * Adds NodePorts on loopback addresses (`127.0.0.1:30080`) to a backend of the kernel, which cannot carry them unless `route_localnet=1` opens the
 * loopback range to neighbours (CVE-2020-8558). Sockets of this process do it, as KEP-6032 has it: they choose among the same endpoints by the same
 * routes. What they cannot do is in this folder's README.
 */
export const withLoopbackNodePorts = (kernel: Backend, options: LoopbackNodePortsOptions = {}): Backend => {
  const sockets = createUserspaceBackend({ ...options, serviceCIDRs: [] })
  return {
    mode: kernel.mode,
    supports: kernel.supports,
    async start(signal, report) {
      const first = await kernel.start(signal, report)
      const second = await sockets.start(signal, report)
      return { stopped: Promise.all([first.stopped, second.stopped]).then(() => {}) }
    },
    async sync(change) {
      const split = splitChange(change)
      // Each is told, whatever becomes of the other; the caller repeats what failed.
      const results = await Promise.allSettled([kernel.sync(split.kernel), sockets.sync(split.sockets)])
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },
    exceptions: () => [...kernel.exceptions(), ...sockets.exceptions()],
    audit: (signal) => auditParts([kernel.audit, sockets.audit], signal),
    trace: (packet) => (isLoopbackAddress(packet.destination.address) ? sockets : kernel).trace(packet),
    async cleanup() {
      await sockets.cleanup()
      await kernel.cleanup()
    },
  }
}
