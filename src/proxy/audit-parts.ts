import type { Drift } from './backend.ts'

type Audit = (signal?: AbortSignal) => Promise<readonly Drift[]>

/**
 * Audits the parts of a backend one after the other: each gets its turn, whatever becomes of the others. Where `signal` ends one, what others repaired
 * is given all the same.
 */
export const auditParts = async (parts: readonly Audit[], signal?: AbortSignal): Promise<readonly Drift[]> => {
  const drift: Drift[] = []
  const failures: unknown[] = []
  for (const audit of parts) {
    try {
      drift.push(...(await audit(signal)))
    } catch (error) {
      failures.push(error)
    }
  }
  const isCut = (error: unknown): boolean => signal?.aborted === true && error === signal.reason
  const [failure] = drift.length > 0 ? failures.filter((error) => !isCut(error)) : failures
  if (failure !== undefined) throw failure
  return drift
}
