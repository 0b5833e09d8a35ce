import type { KubeObject } from '../api/index.ts'
import { errorMessage, type Logger } from '../base/index.ts'
import type { Change, Lister } from './informer.ts'

type ChangeHandler<T extends KubeObject> = (change: Change<T>) => void

/** Tells handlers of changes, in order, also when a handler causes the next change or adds another handler. */
export interface FanOut<T extends KubeObject> {
  add(handler: ChangeHandler<T>): () => void
  /** `changes` are in the cache already, or come into it as they are iterated. */
  publish(changes: Iterable<Change<T>>): void
}

/** Handlers that join get what `lister` holds at that moment as `added`. */
export const createFanOut = <T extends KubeObject>(lister: Lister<T>, log: Logger): FanOut<T> => {
  // The list is replaced, never changed: a change is for those who listened when it happened, others saw it in the cache.
  let handlers: readonly ChangeHandler<T>[] = []
  const pending: { readonly change: Change<T>; readonly to: readonly ChangeHandler<T>[] }[] = []
  let delivering = false

  const tell = (handler: ChangeHandler<T>, change: Change<T>): void => {
    const failed = (error: unknown): void =>
      log.error('a change handler threw', {
        object: change.object.metadata.name,
        change: change.type,
        error: errorMessage(error),
      })
    try {
      // An async function may stand where a handler is expected; its rejection must not end the process.
      const result: unknown = handler(change)
      if (result instanceof Promise) result.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
  const deliver = (): void => {
    if (delivering) return
    delivering = true
    for (let next = pending.shift(); next; next = pending.shift()) {
      for (const handler of next.to) if (handlers.includes(handler)) tell(handler, next.change)
    }
    delivering = false
  }
  return {
    add(handler) {
      // A wrapper, so that the same function can listen twice and stop once.
      const own: ChangeHandler<T> = (change) => handler(change)
      handlers = [...handlers, own]
      for (const object of lister.list()) tell(own, { type: 'added', object })
      return () => {
        handlers = handlers.filter((other) => other !== own)
      }
    },
    publish(changes) {
      for (const change of changes) {
        pending.push({ change, to: handlers })
        deliver()
      }
    },
  }
}
