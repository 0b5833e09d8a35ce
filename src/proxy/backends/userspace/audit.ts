import { auditParts } from '../../audit-parts.ts'
import type { Drift } from '../../backend.ts'
import { listenerId } from './desired-listeners.ts'
import { readListening } from './kernel-sockets.ts'
import { hostRange, type Listener } from './listener.ts'
import type { Userspace } from './state.ts'

/** Looks for sockets that the kernel does not have any longer and for local routes that somebody removed; opens and adds them again. */
export const audit = (state: Userspace, signal?: AbortSignal): Promise<readonly Drift[]> => {
  const parts = [() => auditRoutes(state), () => auditListeners(state)]
  const cut = (part: () => Promise<readonly Drift[]>) => async () => {
    signal?.throwIfAborted()
    return part()
  }
  return auditParts(parts.map(cut), signal)
}

const auditRoutes = async ({ options, context }: Userspace): Promise<readonly Drift[]> => {
  const { localAddresses, serviceCIDRs } = options
  const observed = await localAddresses?.observe?.()
  if (localAddresses === undefined || observed === undefined) return []
  const present = new Set(observed.map(asRange))
  const missing = [...serviceCIDRs, ...[...context.ensured].map(hostRange)].filter((cidr) => !present.has(asRange(cidr)))
  for (const cidr of missing) await localAddresses.ensure(cidr)
  return missing.map((cidr) => ({ kind: 'missing', what: `local route ${cidr} dev lo` }))
}

/** `ip route` leaves out the prefix of a single address. */
const asRange = (text: string): string => (text.includes('/') ? text : hostRange(text))

const auditListeners = async (state: Userspace): Promise<readonly Drift[]> => {
  const before = [...state.listeners.values()].filter((listener) => boundId(listener) !== undefined)
  if (before.length === 0) return []
  const listening = await readListening()
  // What closed or moved meanwhile did so on purpose.
  const lost = before.filter((listener) => {
    const id = boundId(listener)
    return id !== undefined && !listening.has(id) && state.listeners.get(listener.desired.id) === listener
  })
  await Promise.all(lost.map((listener) => listener.reopen()))
  return lost.map(({ desired: { ref } }) => ({
    kind: 'missing',
    what: `${ref.protocol} socket on ${ref.address}:${ref.port}`,
    key: ref.key,
  }))
}

/** Where it listens, as far as it does. */
const boundId = ({ status, desired: { ref } }: Listener): string | undefined => {
  switch (status.state) {
    case 'serving':
      return listenerId(ref.protocol, ref.address, ref.port)
    case 'substituted':
      return listenerId(ref.protocol, ref.address, status.substitute)
    case 'failed':
    case 'gone':
      return undefined
    default:
      return status satisfies never
  }
}
