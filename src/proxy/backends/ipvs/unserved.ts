import type { IPFamily } from '../../../ip/index.ts'
import type { Forwarding } from '../../../model/index.ts'
import type { Change, FrontendRef, FrontendStatus } from '../../backend.ts'

/** Frontends of a family that this machine cannot carry. */
export interface Unserved {
  record(change: Change, without: Readonly<Partial<Record<IPFamily, string>>>): void
  reportTo(report: (status: FrontendStatus) => void): void
  list(): readonly FrontendStatus[]
}

export const createUnserved = (): Unserved => {
  const failed = new Map<string, { readonly refs: readonly FrontendRef[]; readonly message: string }>()
  let report: (status: FrontendStatus) => void = () => {}
  const statuses = (key: string): readonly FrontendStatus[] => {
    const { refs = [], message = '' } = failed.get(key) ?? {}
    return refs.map((ref) => ({ ...ref, state: 'failed', code: 'EAFNOSUPPORT', message }))
  }
  const forget = (key: string): void => {
    const { refs = [] } = failed.get(key) ?? {}
    failed.delete(key)
    for (const ref of refs) report({ ...ref, state: 'gone' })
  }
  return {
    record(change, without) {
      const set = change.set.filter(({ family }) => without[family] !== undefined)
      const kept = new Set(set.map(({ key }) => key))
      for (const key of change.full ? [...failed.keys()] : change.delete) if (!kept.has(key)) forget(key)
      for (const forwarding of set) {
        const entry = { refs: refsOf(forwarding), message: without[forwarding.family] ?? '' }
        if (JSON.stringify(failed.get(forwarding.key)) === JSON.stringify(entry)) continue
        failed.set(forwarding.key, entry)
        statuses(forwarding.key).forEach(report)
      }
    },
    reportTo(to) {
      report = to
    },
    list: () => [...failed.keys()].flatMap(statuses),
  }
}

const refsOf = ({ key, namespace, name, ports }: Forwarding): readonly FrontendRef[] =>
  ports.flatMap(({ protocol, frontends }) =>
    frontends.map(({ kind, address = '', port }) => ({ key, namespace, name, kind, protocol, address, port })),
  )
