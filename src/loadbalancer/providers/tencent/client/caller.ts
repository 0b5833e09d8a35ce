import { type Clock, createBackoff, sleep } from '../../../../base/index.ts'
import { CloudError, isCloudError } from './errors.ts'
import type { Locks } from './locks.ts'
import type { RateLimiter } from './rate-limit.ts'
import type { Answer, ApiCall, Transport } from './transport.ts'

export interface CallerDeps {
  readonly transport: Transport
  readonly limiter: RateLimiter
  readonly locks: Locks
  readonly clock: Clock
  /** Told of each request that was sent. */
  readonly onCall?: (call: { readonly action: string; readonly result: string; readonly seconds: number }) => void
  readonly taskTimeoutMs: number
  /** Before a task is asked for again the first time; later ones wait longer. */
  readonly taskPollMs: number
}

/** Calls with what every call needs: its place in the rate limit, a few repeats where that is safe, and for writes the lock and the end of the task. */
export interface Caller {
  /** Reads, and writes that may be repeated without harm. */
  repeatable(call: ApiCall, signal: AbortSignal): Promise<Answer>
  /** Resolves when a call of `action` could go out at once. */
  free(action: string, signal: AbortSignal): Promise<void>
  /** One write at a time for each load balancer; resolves when its task has succeeded. */
  write(loadBalancerId: string, call: ApiCall, signal: AbortSignal): Promise<Answer>
  /** As `write`, for actions that are done when they are answered. Where one is not after all, the next write finds the load balancer busy and waits. */
  writeAtOnce(loadBalancerId: string, call: ApiCall, signal: AbortSignal): Promise<Answer>
  /** Resolves when the task has succeeded, with what the answer says of it; rejects when it failed. */
  waitForTask(task: { readonly TaskId: string } | { readonly DealName: string }, of: string, signal: AbortSignal): Promise<Answer>
}

const ATTEMPTS = 4
const THROTTLED_PAUSE_MS = 500

export const createCaller = (deps: CallerDeps): Caller => {
  const durations = new Map<string, number>()
  const once = async (call: ApiCall, signal: AbortSignal): Promise<Answer> => {
    await deps.limiter.take(call.action, signal)
    const startedAt = deps.clock.monotonic()
    const told = (result: string): void =>
      deps.onCall?.({ action: call.action, result, seconds: (deps.clock.monotonic() - startedAt) / 1_000 })
    try {
      const answer = await deps.transport.send(call, signal)
      told('success')
      return answer
    } catch (error) {
      told(isCloudError(error) ? error.failure : 'aborted')
      if (isCloudError(error, 'throttled')) deps.limiter.pause(call.action, THROTTLED_PAUSE_MS)
      throw error
    }
  }
  const attempt = async (call: ApiCall, repeats: readonly CloudError['failure'][], signal: AbortSignal): Promise<Answer> => {
    const backoff = createBackoff({ initialMs: 200, maxMs: 2_000, jitter: 0.3 })
    for (let left = ATTEMPTS - 1; ; left--) {
      try {
        return await once(call, signal)
      } catch (error) {
        if (left === 0 || !isCloudError(error, ...repeats)) throw error
        await sleep(deps.clock, backoff.next(), signal)
        signal.throwIfAborted()
      }
    }
  }
  const repeatable = (call: ApiCall, signal: AbortSignal): Promise<Answer> => attempt(call, ['throttled', 'unavailable'], signal)
  const waitForTask: Caller['waitForTask'] = (task, of, signal) =>
    pollTask({ deps, repeatable, durations }, { params: task, of }, signal)
  const locked = (loadBalancerId: string, work: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> =>
    deps.locks.run(loadBalancerId, () => {
      signal.throwIfAborted()
      return work()
    })
  const send = (call: ApiCall, signal: AbortSignal): Promise<Answer> => attempt(call, ['throttled', 'busy'], signal)
  return {
    repeatable,
    waitForTask,
    free: (action, signal) => deps.limiter.free(action, signal),
    writeAtOnce: (id, call, signal) => locked(id, () => send(call, signal), signal),
    write: (id, call, signal) =>
      locked(
        id,
        async () => {
          const answer = await send(call, signal)
          await waitForTask({ TaskId: answer.requestId }, call.action, signal)
          return answer
        },
        signal,
      ),
  }
}

interface PollDeps {
  readonly deps: CallerDeps
  readonly repeatable: Caller['repeatable']
  /** How long tasks of an action took of late, so that one question is enough most of the time. */
  readonly durations: Map<string, number>
}

interface Polling {
  readonly params: Readonly<Record<string, unknown>>
  /** The action that began the task. */
  readonly of: string
}

const pollTask = async (
  { deps, repeatable, durations }: PollDeps,
  { params, of }: Polling,
  signal: AbortSignal,
): Promise<Answer> => {
  const backoff = createBackoff({ initialMs: deps.taskPollMs, maxMs: 3_000, factor: 1.6, jitter: 0.1 })
  const startedAt = deps.clock.monotonic()
  const until = startedAt + deps.taskTimeoutMs
  await sleep(deps.clock, durations.get(of) ?? deps.taskPollMs, signal)
  signal.throwIfAborted()
  for (;;) {
    const answer = await repeatable({ service: 'clb', action: 'DescribeTaskStatus', params }, signal)
    const status = answer.response['Status']
    if (status === 0) {
      learn(durations, of, { tookMs: deps.clock.monotonic() - startedAt, leastMs: deps.taskPollMs })
      return answer
    }
    if (status === 1) {
      const message = String(answer.response['Message'] ?? 'no reason given').slice(0, 300)
      throw new CloudError('failed', `${of}: its task failed: ${message}`, { action: of, code: '' })
    }
    if (deps.clock.monotonic() >= until)
      throw new CloudError('unavailable', `${of}: its task did not end within ${deps.taskTimeoutMs} ms`, { action: of, code: '' })
    await sleep(deps.clock, backoff.next(), signal)
    signal.throwIfAborted()
  }
}

const MAX_FIRST_WAIT_MS = 5_000

/** A little less than it took each time, so that the wait follows a cloud that becomes faster. */
const learn = (
  durations: Map<string, number>,
  action: string,
  { tookMs, leastMs }: { readonly tookMs: number; readonly leastMs: number },
): void => {
  const before = durations.get(action) ?? tookMs
  durations.set(action, Math.min(Math.max((0.7 * before + 0.3 * tookMs) * 0.95, leastMs), MAX_FIRST_WAIT_MS))
}
