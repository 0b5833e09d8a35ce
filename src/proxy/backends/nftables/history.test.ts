import { type FakeNft, fakeNft } from '../../../kernel/nft/testing/index.ts'
import { type HistoryWorld, historyConformance } from '../../history.conformance.ts'
import { createNftablesBackend } from './index.ts'
import { sendThrough } from './testing/index.ts'

/** Slots and what is chosen by them differ by history; choices that nobody needs any longer go at an audit. */
const BY_HISTORY: ReadonlySet<string> = new Set(['endpoints', 'choices'])
const UNTIL_AUDIT: ReadonlySet<string> = new Set(['verdicts', 'verdicts-by-source'])

const world = (): HistoryWorld => {
  let value = 0
  const nft = fakeNft(() => value)
  return {
    newBackend: () => createNftablesBackend({ nft, serviceCIDRs: [] }),
    send: (packet, node) => sendThrough(nft, packet, node),
    roll: (next) => {
      value = next
    },
    failNext: () => nft.failNext(new Error('nft: refused')),
    clearFailures: () => nft.failNext(),
    flush: () => nft.flushRuleset(),
    contents: async (family) =>
      [...((await nft.readTable({ family: family === 'IPv4' ? 'ip' : 'ip6', name: 'fairway' }))?.elements ?? [])]

        .filter(([set]) => !UNTIL_AUDIT.has(set))
        .flatMap(([set, members]) => [...members].map(([key, data]) => (BY_HISTORY.has(set) ? set : `${set} ${key} ${data}`)))
        .sort(),
    changes: () => changesOf(nft),
  }
}

const changesOf = (nft: FakeNft): number => nft.committed.join('\n').match(/^(add|delete) element/gm)?.length ?? 0

historyConformance('nftables', world)
