import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'

/** `broken`: the thread ended; nobody is let in by that. */
export type Judgement = 'right' | 'wrong' | 'broken'

interface Check {
  readonly hash: string
  readonly password: Buffer
  readonly client: string
  readonly done: (judgement: Judgement) => void
}

/** Checks that wait: of all clients, and of one (who tries passwords waits for himself). */
const MOST_WAITING = 256
const MOST_WAITING_OF_CLIENT = 8

/**
 * Compares passwords with hashes in a thread, one at a time: a flood of wrong passwords costs one core, not the worker's time. The thread starts
 * with the first check and never keeps the process alive.
 */
export class Hasher {
  #thread: Worker | undefined
  #current: Check | undefined
  readonly #waiting = new Set<Check>()
  readonly #ofClient = new Map<string, number>()

  /** Calls `done` once, later; undefined, and no call, when too many wait already. The returned function cancels. */
  check(check: Check): (() => void) | undefined {
    const ofClient = this.#ofClient.get(check.client) ?? 0
    if (this.#waiting.size >= MOST_WAITING || ofClient >= MOST_WAITING_OF_CLIENT) return undefined
    this.#waiting.add(check)
    this.#ofClient.set(check.client, ofClient + 1)
    this.#next()
    return () => {
      if (this.#waiting.delete(check)) this.#leave(check)
    }
  }

  async close(): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    await thread?.terminate()
  }

  #next(): void {
    if (this.#current !== undefined) return
    const [check] = this.#waiting
    if (check === undefined) return
    this.#waiting.delete(check)
    this.#current = check
    this.#thread ??= this.#start()
    this.#thread.postMessage({ hash: check.hash, password: check.password })
  }

  #start(): Worker {
    const thread = new Worker(threadEntry(), { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 128 } })
    thread.unref()
    thread.on('message', (isRight: boolean) => this.#finish(isRight ? 'right' : 'wrong'))
    thread.on('error', () => {})
    thread.on('exit', () => {
      if (this.#thread === thread) this.#thread = undefined
      this.#finish('broken')
    })
    return thread
  }

  #finish(judgement: Judgement): void {
    const check = this.#current
    if (check === undefined) return
    this.#current = undefined
    this.#leave(check)
    check.done(judgement)
    this.#next()
  }

  #leave(check: Check): void {
    const left = (this.#ofClient.get(check.client) ?? 1) - 1
    if (left > 0) this.#ofClient.set(check.client, left)
    else this.#ofClient.delete(check.client)
  }
}

/** hash-thread.js beside this file when built; hash-thread.ts through tsx in development and tests, which a thread must ask for itself. */
const threadEntry = (): URL => {
  if (!import.meta.url.endsWith('.ts')) return new URL('./hash-thread.js', import.meta.url)
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm/api')).href.replace(/cjs$/, 'mjs')
  const source = new URL('./hash-thread.ts', import.meta.url).href
  const script = `import { register } from '${tsx}'; register(); await import('${source}')`
  return new URL(`data:text/javascript,${encodeURIComponent(script)}`)
}
