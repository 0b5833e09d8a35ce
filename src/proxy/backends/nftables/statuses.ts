import type { Forwarding } from '../../../model/index.ts'
import type { FrontendRef, FrontendStatus } from '../../backend.ts'
import type { Books, Refused } from './books.ts'

/** The frontends of Services that the kernel refuses, told at each transition. */
export interface Statuses {
  reportTo(report: (status: FrontendStatus) => void): void
  /** Compares with what the books say now. */
  update(books: readonly Books[]): void
  all(): readonly FrontendStatus[]
}

export const createStatuses = (): Statuses => {
  let report: (status: FrontendStatus) => void = () => {}
  let failed = new Map<string, FrontendStatus>()
  return {
    reportTo(next) {
      report = next
    },
    update(books) {
      const now = new Map(books.flatMap((each) => [...each.refused].flatMap(([key, why]) => failedFrontends(each, key, why))))
      for (const [id, status] of now) if (!isSame(failed.get(id), status)) report(status)
      for (const [id, status] of failed) {
        if (now.has(id)) continue
        const isWanted = books.some(({ carried }) => refsOf(carried.get(status.key)?.forwarding).some((ref) => idOf(ref) === id))
        report({ ...refOf(status), state: isWanted ? 'serving' : 'gone' })
      }
      failed = now
    },
    all: () => [...failed.values()],
  }
}

const isSame = (before: FrontendStatus | undefined, now: FrontendStatus): boolean =>
  before !== undefined && JSON.stringify(before) === JSON.stringify(now)

const failedFrontends = (
  { carried }: Books,
  key: string,
  { code, message }: Refused,
): readonly (readonly [string, FrontendStatus])[] =>
  refsOf(carried.get(key)?.forwarding).map((ref) => [idOf(ref), { ...ref, state: 'failed', code, message }])

/** A NodePort has no address of its own: it is at all of the node's. */
const refsOf = (forwarding: Forwarding | undefined): readonly FrontendRef[] =>
  forwarding === undefined
    ? []
    : forwarding.ports.flatMap(({ protocol, frontends }) =>
        frontends.map(({ kind, address = forwarding.family === 'IPv6' ? '::' : '0.0.0.0', port }) => ({
          key: forwarding.key,
          namespace: forwarding.namespace,
          name: forwarding.name,
          kind,
          protocol,
          address,
          port,
        })),
      )

const idOf = ({ key, kind, protocol, address, port }: FrontendRef): string => `${key} ${kind} ${protocol} ${address} ${port}`

const refOf = ({ key, namespace, name, kind, protocol, address, port }: FrontendStatus): FrontendRef => ({
  key,
  namespace,
  name,
  kind,
  protocol,
  address,
  port,
})
