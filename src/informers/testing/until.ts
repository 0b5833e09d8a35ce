import type { KubeObject } from '../../api/index.ts'
import type { Informer } from '../informer.ts'

/** Resolves as soon as `holds` is true, looking again after each change of the cache. */
export const until = <T extends KubeObject>(informer: Informer<T>, holds: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    if (holds()) return resolve()
    const stop = informer.onChange(() => {
      if (!holds()) return
      resolve()
      // The handler runs once before `stop` has a value, for the objects that are there.
      queueMicrotask(() => stop())
    })
  })
