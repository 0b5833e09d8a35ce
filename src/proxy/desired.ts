import type { IPFamily } from '../ip/index.ts'
import { type Forwarding, type ForwardingProblem, type NotForwarded, serviceForwarding } from '../model/index.ts'
import type { Snapshot } from './snapshot.ts'

/** What a Service asks of this node, before frontends are shared out between Services. */
export interface Desired {
  readonly forwardings: readonly Forwarding[]
  /** Why there is no Forwarding in a family. */
  readonly skipped: readonly { readonly family: IPFamily; readonly reason: NotForwarded | 'NoSuchService' }[]
  readonly problems: readonly ForwardingProblem[]
  /** When the Service was created: the older one keeps a contested frontend. */
  readonly createdAt: string
}

const FAMILIES: readonly IPFamily[] = ['IPv4', 'IPv6']

/** Both families, each on its own. */
export const desired = ({ service, slices, node }: Snapshot): Desired => {
  if (service === undefined) {
    return {
      forwardings: [],
      skipped: FAMILIES.map((family) => ({ family, reason: 'NoSuchService' })),
      problems: [],
      createdAt: '',
    }
  }
  const meanings = FAMILIES.map((family) => ({ family, meaning: serviceForwarding({ service, slices, node }, family) }))
  return {
    forwardings: meanings.flatMap(({ meaning }) => (meaning.kind === 'forwarding' ? [meaning.forwarding] : [])),
    skipped: meanings.flatMap(({ family, meaning }) => (meaning.kind === 'none' ? [{ family, reason: meaning.reason }] : [])),
    problems: meanings.flatMap(({ meaning }) => (meaning.kind === 'forwarding' ? meaning.problems : [])),
    createdAt: service.metadata.creationTimestamp ?? '',
  }
}
