const FIRST_MS = 10_000
const MAX_MS = 300_000
/** A run this long was a good one: the next failure starts anew. */
const RESET_AFTER_MS = 600_000

/**
 * How long after its end a container is started again, by how long the present run was and how long the wait before it was (undefined before the
 * first restart). As the kubelet does, the first restart is immediate. Pure.
 */
export const restartDelay = (previousMs: number | undefined, ranMs: number): number => {
  if (previousMs === undefined || ranMs >= RESET_AFTER_MS) return 0
  return previousMs === 0 ? FIRST_MS : Math.min(previousMs * 2, MAX_MS)
}

/** The wait before another try at something that failed `failures` times in a row (pulling an image). Pure. */
export const retryDelay = (failures: number): number => Math.min(FIRST_MS * 2 ** Math.max(0, failures - 1), MAX_MS)
