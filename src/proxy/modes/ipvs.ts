import type { Backend } from '../backend.ts'
import type { Mode, ModeDeps } from './mode.ts'
import { looking } from './refusals.ts'

/** Virtual servers of the kernel. */
export const ipvsMode: Mode = {
  name: 'ipvs',
  async open(deps) {
    const { createKernel } = await import('../backends/ipvs/index.ts')
    const { SCHEDULERS } = await import('../../kernel/ipvs/index.ts')
    const kernel = createKernel(deps.exec)
    // Names a scheduler that there is not; what is asked of the kernel below is one that there is.
    const backend = await ipvsBackend(deps)
    const { scheduler = 'rr' } = deps.ipvs ?? {}
    const obstacle =
      (await kernel.ipvs.probe(SCHEDULERS.find((each) => each === scheduler) ?? 'rr')) ?? (await kernel.ipset.probe())
    if (obstacle !== undefined) return { refusal: obstacle }
    const choice = await kernel.iptables.choose()
    if ('obstacle' in choice) return { refusal: choice.obstacle }
    return { backend, reason: `scheduler ${scheduler}, with iptables of the ${choice.flavour} flavour` }
  },
  async leftovers({ exec, ipvs }) {
    const { createKernel, ipvsLeftovers } = await import('../backends/ipvs/index.ts')
    let unknown: readonly string[] = []
    const looked = await looking(async () => {
      const left = await ipvsLeftovers(createKernel(exec), ipvs?.excludeCIDRs)
      unknown = left.unknown
      return left.found
    })
    return unknown.length === 0 ? looked : { ...looked, unknown: unknown.join('; ') }
  },
  cleanup: async (deps) => (await ipvsBackend(deps)).cleanup(),
}

const ipvsBackend = async ({ exec, serviceCIDRs, clock, log, ipvs, iptables }: ModeDeps): Promise<Backend> => {
  const { createIpvsBackend, createKernel } = await import('../backends/ipvs/index.ts')
  return createIpvsBackend({
    kernel: createKernel(exec),
    serviceCIDRs,
    clock,
    log,
    ...(iptables?.masqueradeBit === undefined ? {} : { masqueradeBit: iptables.masqueradeBit }),
    ...ipvs,
  })
}
