/**
 * Something with a life: `start` resolves when it serves (or rejects, having released everything).
 * Aborting `signal` stops it; `stopped` resolves when everything it held is released.
 */
export interface Component {
  readonly name: string
  start(signal: AbortSignal): Promise<Running>
}

export interface Running {
  /** Resolves after an abort when all is released; rejects when the component failed by itself. */
  readonly stopped: Promise<void>
}

/** A promise that resolves when `signal` aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
