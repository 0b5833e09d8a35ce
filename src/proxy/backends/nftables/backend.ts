import { aborted, UserError } from '../../../base/index.ts'
import type { IPFamily } from '../../../ip/index.ts'
import type { Nft } from '../../../kernel/nft/index.ts'
import { auditParts } from '../../audit-parts.ts'
import type { Backend } from '../../backend.ts'
import { createFamilyTable } from './family-table.ts'
import { WORDS } from './layout.ts'
import { createStatuses } from './statuses.ts'
import { traceLines } from './trace.ts'

export interface NftablesBackendOptions {
  readonly nft: Nft
  /** Name of both tables; `fairway` unless told. Instances on one machine need their own. */
  readonly tableName?: string
  /** Connections to addresses of these ranges that no Service has are refused. */
  readonly serviceCIDRs: readonly string[]
  /** Somebody else changed one of the tables: the next audit should come soon. Called between `start` and its end, where `nft` can tell. */
  readonly onForeignChange?: () => void
}

/** Carries Services with nftables: flat maps, two tables, one transaction a change and family. */
export const createNftablesBackend = (options: NftablesBackendOptions): Backend => {
  const { nft, tableName = 'fairway', serviceCIDRs } = options
  const families: readonly IPFamily[] = ['IPv4', 'IPv6']
  const tables = families.map((family) =>
    createFamilyTable({ nft, family, table: { family: WORDS[family].table, name: tableName }, serviceCIDRs }),
  )
  const statuses = createStatuses()
  const told = (): void => statuses.update(tables.map(({ books }) => books))
  return {
    mode: 'nftables',
    supports: new Set(['SCTP', 'IPv6', 'Drop', 'KeepsSource', 'RejectsUndefinedPorts', 'TracksFlows']),
    async start(signal, report) {
      const obstacle = await nft.probe()
      if (obstacle !== undefined) throw new UserError(obstacle)
      statuses.reportTo(report)
      nft.watch(
        tables.map(({ table }) => table),
        () => {
          for (const table of tables) table.suspect()
          options.onForeignChange?.()
        },
        signal,
      )
      return { stopped: aborted(signal).then(() => nft.close()) }
    },
    async sync(change) {
      // Each family is tried, whatever becomes of the other.
      const results = await Promise.allSettled(tables.map((table) => table.sync(change)))
      told()
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },
    exceptions: () => statuses.all(),
    async audit(signal) {
      try {
        return await auditParts(
          tables.map(({ audit }) => audit),
          signal,
        )
      } finally {
        told()
      }
    },
    trace: (packet) => traceLines(tables, packet),
    async cleanup() {
      for (const { table } of tables) await nft.commit({ table, commands: [{ kind: 'delete table' }] })
    },
  }
}
