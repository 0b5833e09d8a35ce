import type { Clock, Timer } from '../../../base/index.ts'
import { type Ipvs, type Load, realText } from '../../../kernel/ipvs/index.ts'
import type { Books } from './diff.ts'

export interface DrainerOptions {
  readonly books: Books
  readonly ipvs: Ipvs
  readonly clock: Clock
  /** How long a real server may carry its last connections. */
  readonly limitMs: number
  readonly intervalMs: number
  /** It is time to look, when nothing else is written: true when somebody is done, so that the difference must be written. */
  onDue(look: () => Promise<boolean>): void
}

/** Watches real servers of weight 0 until their connections have ended. */
export interface Drainer {
  /** Something may have begun to drain. */
  watch(): void
  stop(): void
}

export const createDrainer = (options: DrainerOptions): Drainer => {
  const { books, clock, intervalMs } = options
  const since = new Map<string, number>()
  let timer: Timer | undefined
  let isStopped = false
  const watch = (): void => {
    const now = clock.monotonic()
    const ids = new Set([...books.draining.values()].flatMap((reals) => [...reals.keys()]))
    for (const id of since.keys()) if (!ids.has(id)) since.delete(id)
    for (const id of ids) if (!since.has(id)) since.set(id, now)
    if (isStopped || timer !== undefined || ids.size === 0) return
    timer = clock.setTimer(() => {
      timer = undefined
      options.onDue(() => look(options, since))
    }, intervalMs)
  }
  return {
    watch,
    stop() {
      isStopped = true
      timer?.cancel()
      timer = undefined
    },
  }
}

/** True when somebody is done. Reads only virtual servers that somebody leaves. */
const look = async ({ books, ipvs, clock, limitMs }: DrainerOptions, since: ReadonlyMap<string, number>): Promise<boolean> => {
  let isAnyDone = false
  for (const reals of [...books.draining.values()]) {
    const [first] = reals.values()
    if (first === undefined) continue
    const loads = new Map((await ipvs.loads(first.server))?.map((load) => [realText(load), load]))
    for (const [id, item] of [...reals]) {
      const isOver = clock.monotonic() - (since.get(id) ?? 0) >= limitMs
      if (!isOver && !isIdle(loads.get(realText(item.real)))) continue
      books.drained(id)
      isAnyDone = true
    }
  }
  return isAnyDone
}

/** One that is not there any longer has nothing to carry. */
const isIdle = (load: Load | undefined): boolean => load === undefined || load.active + load.inactive === 0
