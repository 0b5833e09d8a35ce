import { median } from '../median.ts'
import type { Result } from '../result.ts'
import type { Round, Rounds } from './measure.ts'
import { SINGLE_DNAT } from './ways.ts'

/** The figures of a group, but for paths that an earlier group has reported. */
export const summaryOf = (rounds: Rounds, reported: readonly Result[]): readonly Result[] => {
  const names = [...rounds.keys()]
  const known = new Set(reported.map(({ name }) => name))
  const figures = names.flatMap((name) => figuresOf(name, rounds.get(name) ?? []))
  const ratios = names.flatMap((name) => basesOf(name).flatMap((base) => ratiosOf(rounds, { name, base })))
  return [...figures, ...ratios].filter(({ name }) => !known.has(name))
}

const figuresOf = (name: string, rounds: readonly Round[]): readonly Result[] => [
  { name: `${name}: connect latency p50`, value: median(rounds.map(({ p50 }) => p50)), unit: 'µs' },
  { name: `${name}: connect latency p99`, value: median(rounds.map(({ p99 }) => p99)), unit: 'µs' },
  { name: `${name}: connections a second, one at a time`, value: median(rounds.map(({ perSecond }) => perSecond)), unit: '1/s' },
]

/** What a path is compared with, where the group has it. */
const basesOf = (name: string): readonly string[] => {
  const [mode = ''] = name.split(',')
  return ['direct', `direct beside ${mode}`, ...(mode === 'nftables' ? [SINGLE_DNAT] : [])].filter((base) => base !== name)
}

/** Of each round, so that what slowed a round down for all counts in none. */
const ratiosOf = (rounds: Rounds, { name, base }: { readonly name: string; readonly base: string }): readonly Result[] => {
  const others = rounds.get(base)
  if (others === undefined) return []
  const ratio = (figure: keyof Round): number =>
    median((rounds.get(name) ?? []).map((each, index) => each[figure] / (others[index]?.[figure] ?? Number.NaN)))
  return [
    { name: `ratio to ${base}: ${name}: connect latency p50`, value: ratio('p50'), unit: '' },
    { name: `ratio to ${base}: ${name}: connections a second`, value: ratio('perSecond'), unit: '' },
  ]
}
