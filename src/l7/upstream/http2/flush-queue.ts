/** Something that tells of what it has read once all that came in one read is known. */
export interface Flushed {
  flushRead(): void
}

let waiting: Flushed[] = []

/** Flushes after the events of the present read: head, body and trailers of a short answer then go on in one piece. */
export const flushSoon = (flushed: Flushed): void => {
  if (waiting.push(flushed) === 1) setImmediate(flushAll)
}

const flushAll = (): void => {
  const all = waiting
  waiting = []
  for (const flushed of all) flushed.flushRead()
}
