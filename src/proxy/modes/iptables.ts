import { readFile } from 'node:fs/promises'
import { errorMessage } from '../../base/index.ts'
import type { Flavour } from '../../kernel/iptables/index.ts'
import type { Backend } from '../backend.ts'
import type { IptablesBackendOptions } from '../backends/iptables/index.ts'
import type { Mode, ModeDeps } from './mode.ts'
import { looking } from './refusals.ts'

/** kube-proxy's chains, in the flavour that the machine uses. */
export const iptablesMode: Mode = {
  name: 'iptables',
  async open(deps) {
    const { createIptables } = await import('../../kernel/iptables/index.ts')
    const choice = await createIptables(deps.exec).choose()
    if ('obstacle' in choice) return { refusal: choice.obstacle }
    const missing = Object.values(choice.without).map((reason) => `; ${reason}`)
    return {
      backend: await iptablesBackend(deps, choice.flavour),
      reason: `the ${choice.flavour} flavour, ${choice.why}${missing.join('')}`,
    }
  },
  async leftovers({ exec }) {
    const [{ createIptables }, { iptablesLeftovers }] = await Promise.all([
      import('../../kernel/iptables/index.ts'),
      import('../backends/iptables/index.ts'),
    ])
    return looking(() => iptablesLeftovers(createIptables(exec)))
  },
  cleanup: async (deps) => (await iptablesBackend(deps)).cleanup(),
}

const iptablesBackend = async (deps: ModeDeps, flavour?: Flavour): Promise<Backend> => {
  const { exec, serviceCIDRs, clock, log, onForeignChange, iptables = {} } = deps
  const [{ createIptables }, { createIptablesBackend }] = await Promise.all([
    import('../../kernel/iptables/index.ts'),
    import('../backends/iptables/index.ts'),
  ])
  return createIptablesBackend({
    iptables: createIptables(exec),
    serviceCIDRs,
    clock,
    log,
    isConntrackLiberal: await isConntrackLiberal(),
    ...(onForeignChange === undefined ? {} : { onForeignChange }),
    ...(flavour === 'nft' ? await canaryWatch(deps) : {}),
    ...iptables,
  })
}

/** nf_tables tells of what is taken away; the legacy flavour tells of nothing. */
const canaryWatch = async ({ libc, namespace, log }: ModeDeps): Promise<Pick<IptablesBackendOptions, 'watchCanary'>> => {
  if (libc === undefined) return {}
  const { watchChain } = await import('../../kernel/nft/index.ts')
  return {
    watchCanary: (chain, emptied, signal) => {
      try {
        watchChain({ libc, chain, ...(namespace === undefined ? {} : { namespace }) }, emptied, signal)
      } catch (error) {
        log.info('flushed rules are noticed by a look every 30 s only', { reason: errorMessage(error) })
      }
    },
  }
}

/** Of this process' network namespace. */
const isConntrackLiberal = async (): Promise<boolean> => {
  const text = await readFile('/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal', 'utf8').catch(() => '0')
  return text.trim() === '1'
}
