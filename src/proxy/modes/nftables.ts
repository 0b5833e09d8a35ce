import { errorMessage } from '../../base/index.ts'
import { HostError } from '../../host/index.ts'
import type { Mode, ModeDeps } from './mode.ts'

/** Flat maps of nf_tables: the best where `nft` and the privilege are there. */
export const nftablesMode: Mode = {
  name: 'nftables',
  async open(deps) {
    const { createNft } = await import('../../kernel/nft/index.ts')
    const refusal = await createNft(deps.exec).probe()
    if (refusal !== undefined) return { refusal }
    const { stdout } = await deps.exec(['nft', '--version'])
    const version = /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'of unknown version'
    return { backend: await open(deps), reason: `nft ${version}, the kernel takes its maps` }
  },
  async leftovers({ exec, tableName = 'fairway' }) {
    try {
      const { stdout } = await exec(['nft', 'list', 'tables'])
      const wanted = ['ip', 'ip6'].map((family) => `table ${family} ${tableName}`)
      const tables = new Set(stdout.split('\n').map((line) => line.trim()))
      return { found: wanted.filter((table) => tables.has(table)) }
    } catch (error) {
      return { found: [], unknown: unreadable(error) }
    }
  },
  cleanup: async (deps) => (await open(deps)).cleanup(),
}

const open = async ({ exec, serviceCIDRs, tableName }: ModeDeps) => {
  const [{ createNftablesBackend }, { createNft }] = await Promise.all([
    import('../backends/nftables/index.ts'),
    import('../../kernel/nft/index.ts'),
  ])
  return createNftablesBackend({ nft: createNft(exec), serviceCIDRs, ...(tableName === undefined ? {} : { tableName }) })
}

const unreadable = (error: unknown): string => {
  if (error instanceof HostError && /not permitted|must be root/i.test(error.stderr)) return 'no permission; run as root'
  return errorMessage(error)
}
