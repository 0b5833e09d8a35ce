import { cidrContainsCIDR, parseCIDR } from '../../ip/index.ts'
import type { Mode, ModeDeps } from './mode.ts'

/** Sockets of this process: needs nothing, as long as the service ranges can be bound. */
export const userspaceMode: Mode = {
  name: 'userspace',
  async open(deps) {
    const outside = deps.localAddresses === undefined ? deps.serviceCIDRs.filter((cidr) => !isLoopback(cidr)) : []
    if (outside.length > 0) {
      return {
        refusal: `this user may not make the service range ${outside.join(', ')} local; run as root, or use a range in ${LOOPBACK}`,
      }
    }
    return { backend: await open(deps), reason: 'sockets of this process' }
  },
  async leftovers({ localAddresses }) {
    return { found: ((await localAddresses?.observe?.()) ?? []).map((cidr) => `local route ${cidr}`) }
  },
  async cleanup(deps) {
    const { localAddresses } = deps
    // Routes to single addresses were made by a process that is gone: nobody else remembers them.
    for (const cidr of (await localAddresses?.observe?.()) ?? []) await localAddresses?.release(cidr)
    await (await open(deps)).cleanup()
  },
}

const LOOPBACK = '127.0.0.0/8'

const isLoopback = (text: string): boolean => {
  const cidr = parseCIDR(text)
  const loopback = parseCIDR(LOOPBACK)
  return cidr !== undefined && loopback !== undefined && cidrContainsCIDR(loopback, cidr)
}

const open = async ({ serviceCIDRs, localAddresses, clock, userspace }: ModeDeps) => {
  const { createUserspaceBackend } = await import('../backends/userspace/index.ts')
  return createUserspaceBackend({ serviceCIDRs, localAddresses, clock, ...userspace })
}
