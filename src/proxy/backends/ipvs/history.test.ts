import type { IPFamily } from '../../../ip/index.ts'
import { historyConformance } from '../../history.conformance.ts'
import { createIpvsBackend } from './index.ts'
import { type FakeKernel, fakeKernel } from './testing/index.ts'

historyConformance('ipvs', () => {
  const kernel = fakeKernel()
  const failures = (errors: readonly Error[]): void => {
    // Whichever is written first meets it; the others wait for theirs until they are cleared.
    kernel.ipvs.failNext(...errors)
    kernel.ipset.failNext(...errors)
    kernel.iptables.failNext(...errors)
    kernel.device.failNext(...errors)
  }
  return {
    newBackend: () => createIpvsBackend({ kernel, serviceCIDRs: [] }),
    send: (packet, node) => kernel.send(packet, node),
    // Round robin has no chance.
    roll: () => {},
    failNext: () => failures([new Error('ipvs: refused')]),
    clearFailures: () => failures([]),
    flush() {
      kernel.iptables.flush()
      kernel.ipset.destroyAll()
      kernel.ipvs.clear()
    },
    contents: (family) => contents(kernel, family),
    changes: () => kernel.changes(),
  }
})

/** Without what only drains, which depends on what was there before. */
const contents = async ({ ipvs, ipset, iptables, device }: FakeKernel, family: IPFamily) => {
  const isOfFamily = (text: string): boolean => text.includes(':') === (family === 'IPv6')
  const sets = await ipset.read(() => true)
  const servers = await ipvs.read()
  const chains = await iptables.read({ flavour: 'nft', family }, (_, chain) => chain.startsWith('FAIRWAY'))
  return {
    sets: sets.map(({ name, entries }) => `${name} ${[...entries].sort().join(' ')}`).sort(),
    servers: servers
      .filter(({ address }) => isOfFamily(address))
      .map(({ reals, ...server }) =>
        JSON.stringify([
          server,
          reals
            .filter(({ weight }) => weight > 0)
            .map((real) => JSON.stringify(real))
            .sort(),
        ]),
      )
      .sort(),
    chains: chains.map(({ table, chain, rules }) => `${table} ${chain} ${rules.map(({ text }) => text).join('; ')}`).sort(),
    addresses: [...device.addresses].filter(isOfFamily).sort(),
  }
}
