import type { Nft } from '../../kernel/nft/index.ts'
import type { Mode, ModeDeps } from './mode.ts'
import { looking } from './refusals.ts'

/** Flat maps of nf_tables: the best where the kernel and the privilege are there. */
export const nftablesMode: Mode = {
  name: 'nftables',
  partOf: ['ebpf'],
  async open(deps) {
    const nft = await nftOf(deps)
    const refusal = await nft.probe()
    if (refusal === undefined) return { backend: await nftablesBackend(nft, deps), reason: await reasonOf(deps) }
    await nft.close()
    return { refusal }
  },
  async leftovers(deps) {
    const nft = await nftOf(deps)
    try {
      return await looking(async () => {
        const found: string[] = []
        for (const family of ['ip', 'ip6'] as const) {
          const name = deps.tableName ?? 'fairway'
          if ((await nft.readTable({ family, name })) !== undefined) found.push(`table ${family} ${name}`)
        }
        return found
      })
    } finally {
      await nft.close()
    }
  },
  async cleanup(deps) {
    const nft = await nftOf(deps)
    try {
      await (await nftablesBackend(nft, deps)).cleanup()
    } finally {
      await nft.close()
    }
  },
}

const nftOf = async ({ exec, libc, namespace }: ModeDeps): Promise<Nft> => {
  const { createNft } = await import('../../kernel/nft/index.ts')
  return createNft(exec, { ...(libc === undefined ? {} : { libc }), ...(namespace === undefined ? {} : { namespace }) })
}

const nftablesBackend = async (nft: Nft, { serviceCIDRs, tableName, onForeignChange }: ModeDeps) => {
  const { createNftablesBackend } = await import('../backends/nftables/index.ts')
  return createNftablesBackend({
    nft,
    serviceCIDRs,
    ...(tableName === undefined ? {} : { tableName }),
    ...(onForeignChange === undefined ? {} : { onForeignChange }),
  })
}

const reasonOf = async ({ exec, libc }: ModeDeps): Promise<string> => {
  if (libc !== undefined) return 'netlink in process, the kernel takes its maps'
  const { stdout } = await exec(['nft', '--version'])
  return `nft ${/v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'of unknown version'}, the kernel takes its maps`
}
