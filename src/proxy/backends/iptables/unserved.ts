import type { Forwarding } from '../../../model/index.ts'
import type { Change, FrontendRef, FrontendStatus } from '../../backend.ts'
import type { Refused } from './record.ts'

/** The frontends of Services that iptables cannot carry here. */
export interface Unserved {
  /** After a change: the Services that are not carried. */
  record(change: Change, refused: Refused): void
  reportTo(report: (status: FrontendStatus) => void): void
  list(): readonly FrontendStatus[]
}

interface Entry {
  readonly refs: readonly FrontendRef[]
  readonly reason: string
}

export const createUnserved = (): Unserved => {
  const failed = new Map<string, Entry>()
  let report: (status: FrontendStatus) => void = () => {}
  const forget = (key: string, state: 'gone' | 'serving'): void => {
    for (const ref of failed.get(key)?.refs ?? []) report({ ...ref, state })
    failed.delete(key)
  }
  return {
    record(change, refused) {
      const set = new Set(change.set.map(({ key }) => key))
      for (const key of change.full ? [...failed.keys()] : change.delete) if (!set.has(key)) forget(key, 'gone')
      for (const key of set) if (!refused.has(key)) forget(key, 'serving')
      for (const [key, { forwarding, reason }] of refused) {
        if (failed.get(key)?.reason === reason) continue
        const entry = { refs: refsOf(forwarding), reason }
        failed.set(key, entry)
        for (const status of statuses(entry)) report(status)
      }
    },
    reportTo(to) {
      report = to
    },
    list: () => [...failed.values()].flatMap(statuses),
  }
}

const statuses = ({ refs, reason }: Entry): readonly FrontendStatus[] =>
  refs.map((ref) => ({ ...ref, state: 'failed', code: 'ENOTSUP', message: reason }))

const refsOf = ({ key, namespace, name, ports }: Forwarding): readonly FrontendRef[] =>
  ports.flatMap(({ protocol, frontends }) =>
    frontends.map(({ kind, address = '', port }) => ({ key, namespace, name, kind, protocol, address, port })),
  )
