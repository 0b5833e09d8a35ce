import { aborted, errorMessage, type Logger, type Running } from '../base/index.ts'
import { type InstanceStatus, removeStatus, writeStatus } from './status-file.ts'

/** Keeps `DIR/status.json` in step with what runs, and removes it at the end. */
export interface StatusWriter {
  readonly name: string
  start(signal: AbortSignal): Promise<Running>
  update(change: Partial<InstanceStatus>): void
  readonly current: () => InstanceStatus
  /** Resolves when everything said so far is in the file. */
  flushed(): Promise<void>
}

export const createStatusWriter = (initial: InstanceStatus, log: Logger): StatusWriter => {
  let status = initial
  let isStarted = false
  let writing = Promise.resolve()
  const write = (): void => {
    writing = writing
      .then(() => writeStatus(status))
      .catch((error: unknown) => log.error('status file could not be written', { error: errorMessage(error) }))
  }
  return {
    name: 'status-writer',
    async start(signal) {
      isStarted = true
      write()
      await writing
      const stop = async (): Promise<void> => {
        await aborted(signal)
        isStarted = false
        await writing
        await removeStatus(status.dataDir)
      }
      return { stopped: stop() }
    },
    update(change) {
      status = { ...status, ...change }
      if (isStarted) write()
    },
    current: () => status,
    flushed: () => writing,
  }
}
