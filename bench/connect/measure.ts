import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { percentile } from '../median.ts'
import type { Answer, Request } from './client.ts'
import type { Path } from './ways.ts'

const WARM_UP = 500
const ROUNDS = 250
/** Before each measurement, for the caches: the path before it had another process, and other rules. */
const SETTLE = 15
const CONNECTIONS = 40
const PAUSE_MICROS = 100

/** A path and the process that connects through it. */
export interface Client {
  readonly path: Path
  readonly child: ChildProcess
}

/** What one round measured of a path. */
export interface Round {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
}

export type Rounds = ReadonlyMap<string, readonly Round[]>

export const warmUp = async (clients: readonly Client[]): Promise<void> => {
  for (const client of clients) await ask(client, { count: WARM_UP, pauseMicros: 0 })
}

/**
 * Each path once a round, in an order of chance. Rounds are short, so that what slows the machine down for a while slows all paths of a round;
 * latencies are taken with a pause before each connection, the rate without.
 */
export const measure = async (group: readonly Client[]): Promise<Rounds> => {
  const rounds = new Map<string, Round[]>(group.map(({ path }) => [path.name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const client of shuffled(group)) {
      const { seconds } = await ask(client, { count: SETTLE + CONNECTIONS, pauseMicros: 0 })
      const { latencies } = await ask(client, { count: CONNECTIONS, pauseMicros: PAUSE_MICROS })
      rounds.get(client.path.name)?.push({
        p50: percentile(latencies, 0.5),
        p99: percentile(latencies, 0.99),
        perSecond: (SETTLE + CONNECTIONS) / seconds,
      })
    }
  }
  return rounds
}

const ask = async ({ path, child }: Client, { count, pauseMicros }: Omit<Request, 'targets'>): Promise<Answer> => {
  const told = once(child, 'message')
  child.send({ targets: path.targets, count, pauseMicros } satisfies Request)
  const [message] = await told
  const answer = message as Answer
  if (answer.failures > 0) throw new Error(`connect: ${path.name}: ${answer.failures} of ${count} connections failed`)
  return answer
}

const shuffled = <T>(values: readonly T[]): readonly T[] =>
  values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
