import { aborted } from '../../../base/index.ts'
import type { Backend } from '../../backend.ts'

/** An inner backend that carries nothing and leaves nothing: for a cleanup of the programs alone, and to see what they do by themselves. */
export const nothing: Backend = {
  mode: 'nothing',
  supports: new Set(),
  start: async (signal) => ({ stopped: aborted(signal) }),
  sync: async () => {},
  exceptions: () => [],
  audit: async () => [],
  trace: () => [],
  cleanup: async () => {},
}
