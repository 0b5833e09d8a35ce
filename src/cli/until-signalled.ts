const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Runs until SIGINT or SIGTERM, which abort its signal; a second one ends the process at once. */
export const untilSignalled = async (run: (signal: AbortSignal) => Promise<void>): Promise<void> => {
  const stop = new AbortController()
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130)
    stop.abort()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  try {
    await run(stop.signal)
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
}
