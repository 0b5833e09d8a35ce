import type { IPFamily } from '../../../ip/index.ts'
import type { Forwarding } from '../../../model/index.ts'
import type { Change, FrontendStatus } from '../../backend.ts'

/** The frontends of a family that this machine's iptables cannot carry. */
export interface Unserved {
  record(change: Change, without: Readonly<Partial<Record<IPFamily, string>>>): void
  reportTo(report: (status: FrontendStatus) => void): void
  list(): readonly FrontendStatus[]
}

export const createUnserved = (): Unserved => {
  const failed = new Map<string, readonly FrontendStatus[]>()
  let report: (status: FrontendStatus) => void = () => {}
  const forget = (key: string): void => {
    for (const { state: _, ...ref } of failed.get(key) ?? []) report({ ...refOf(ref), state: 'gone' })
    failed.delete(key)
  }
  return {
    record(change, without) {
      const set = change.set.filter(({ family }) => without[family] !== undefined)
      const keys = new Set(set.map(({ key }) => key))
      for (const key of change.full ? [...failed.keys()] : change.delete) if (!keys.has(key)) forget(key)
      for (const forwarding of set) {
        const statuses = statusesOf(forwarding, without[forwarding.family] ?? '')
        if (JSON.stringify(failed.get(forwarding.key)) === JSON.stringify(statuses)) continue
        failed.set(forwarding.key, statuses)
        for (const status of statuses) report(status)
      }
    },
    reportTo(to) {
      report = to
    },
    list: () => [...failed.values()].flat(),
  }
}

type Ref = Omit<Extract<FrontendStatus, { state: 'gone' }>, 'state'>

const refOf = ({ key, namespace, name, kind, protocol, address, port }: Ref): Ref => ({
  key,
  namespace,
  name,
  kind,
  protocol,
  address,
  port,
})

const statusesOf = ({ key, namespace, name, ports }: Forwarding, message: string): readonly FrontendStatus[] =>
  ports.flatMap(({ protocol, frontends }) =>
    frontends.map(({ kind, address = '', port }) => ({
      key,
      namespace,
      name,
      kind,
      protocol,
      address,
      port,
      state: 'failed' as const,
      code: 'EAFNOSUPPORT',
      message,
    })),
  )
