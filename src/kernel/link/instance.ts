import { createHash } from 'node:crypto'

/**
 * What marks everything that one Fairway instance makes in the kernel: `fw` and 6 hex digits of its data folder,
 * so that instances live side by side and a later run finds what an earlier one left.
 */
export type InstanceTag = string & { readonly brand: 'InstanceTag' }

/** The tag of the instance that keeps its data in `dataDir` (an absolute path). */
export const instanceTag = (dataDir: string): InstanceTag =>
  asTag(`fw${createHash('sha256').update(dataDir).digest('hex').slice(0, TAG_HEX)}`)

const TAG_HEX = 6

// The only place that brands: its argument was just built to the pattern.
const asTag = (text: string): InstanceTag => text as InstanceTag

/** Routes have no names: the tag's digits are their metric, which decides nothing in the local table. */
export const routeMetric = (tag: InstanceTag): number => Number.parseInt(tag.slice(2), 16)

/** A locally administered, fixed address: a bridge without one takes its ports' lowest, and neighbours' caches go stale when it changes. */
export const bridgeMAC = (tag: InstanceTag): string => {
  const [a = '', b = '', c = ''] = tag.slice(2).match(/../g) ?? []
  return `02:66:77:${a}:${b}:${c}`
}
