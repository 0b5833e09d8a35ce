import type { RawWatchEvent } from '../api-port.ts'

/** One open watch of the fake. */
export interface FakeWatch {
  push(event: RawWatchEvent): void
  end(error?: Error): void
  /** Half open: nothing comes any more and nobody says so. */
  silence(): void
  readonly events: AsyncIterable<RawWatchEvent>
}

/** A watch that ends when `signal` aborts; `closed` is called once it has ended. */
export const createFakeWatch = (signal: AbortSignal | undefined, closed: (watch: FakeWatch) => void): FakeWatch => {
  const buffered: RawWatchEvent[] = []
  let state: { readonly ended: boolean; readonly error?: Error } = { ended: false }
  let silent = false
  let wake: (() => void) | undefined

  const end = (error?: Error): void => {
    state = { ended: true, ...(error ? { error } : {}) }
    wake?.()
  }
  const abort = (): void => end()
  async function* read(): AsyncGenerator<RawWatchEvent> {
    try {
      for (;;) {
        for (let event = buffered.shift(); event && !signal?.aborted; event = buffered.shift()) yield event
        if (state.error) throw state.error
        if (state.ended || signal?.aborted) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      signal?.removeEventListener('abort', abort)
      closed(watch)
    }
  }
  const watch: FakeWatch = {
    push(event) {
      if (silent || state.ended) return
      buffered.push(event)
      wake?.()
    },
    end(error) {
      if (!silent) end(error)
    },
    silence() {
      silent = true
    },
    events: read(),
  }
  signal?.addEventListener('abort', abort, { once: true })
  return watch
}
