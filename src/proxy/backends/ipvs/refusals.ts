import { realText, type ServerAddress } from '../../../kernel/ipvs/index.ts'
import { canonical, type Forwarding } from '../../../model/index.ts'
import type { FrontendRef, FrontendStatus } from '../../backend.ts'
import type { Refused } from './apply.ts'
import type { Books } from './diff.ts'
import { idOf } from './items.ts'

/** Endpoints that the kernel did not take, until it does or nobody wants them any longer. */
export interface Refusals {
  /** After each write. */
  update(refused: readonly Refused[], books: Books, forwardings: Iterable<Forwarding>): void
  has(id: string): boolean
  reportTo(report: (status: FrontendStatus) => void): void
  list(): readonly FrontendStatus[]
}

export const createRefusals = (): Refusals => {
  const known = new Map<string, { readonly ref: FrontendRef; readonly message: string }>()
  let report: (status: FrontendStatus) => void = () => {}
  const forget = (id: string): void => {
    const gone = known.get(id)
    known.delete(id)
    if (gone === undefined || [...known.values()].some(({ ref }) => sameFrontend(ref, gone.ref))) return
    report({ ...gone.ref, state: 'serving' })
  }
  const statusOf = ({ ref, message }: { readonly ref: FrontendRef; readonly message: string }): FrontendStatus => ({
    ...ref,
    state: 'failed',
    code: 'EINVAL',
    message,
  })
  return {
    update(refused, books, forwardings) {
      for (const id of [...known.keys()]) if (!books.isWanted(id) || books.isThere(id)) forget(id)
      if (refused.length === 0) return
      const all = [...forwardings]
      for (const { server, real } of refused) {
        const id = idOf({ kind: 'real', server, real })
        const ref = refOf(all, server)
        if (known.has(id) || ref === undefined) continue
        const entry = {
          ref,
          message: `ipvs: the kernel takes no endpoint ${realText(real)}, as its address is no host's; the others serve`,
        }
        known.set(id, entry)
        report(statusOf(entry))
      }
    },
    has: (id) => known.has(id),
    reportTo(to) {
      report = to
    },
    list: () => [...known.values()].map(statusOf),
  }
}

const sameFrontend = (one: FrontendRef, other: FrontendRef): boolean =>
  one.key === other.key && one.address === other.address && one.port === other.port && one.protocol === other.protocol

/** The frontend whose virtual server it is. */
const refOf = (forwardings: readonly Forwarding[], server: ServerAddress): FrontendRef | undefined => {
  for (const { key, namespace, name, ports } of forwardings) {
    for (const { protocol, frontends } of ports) {
      if (protocol.toLowerCase() !== server.protocol) continue
      const found = frontends.find(
        ({ address, port }) => port === server.port && (address === undefined || canonical(address) === server.address),
      )
      if (found !== undefined)
        return { key, namespace, name, kind: found.kind, protocol, address: server.address, port: server.port }
    }
  }
  return undefined
}
