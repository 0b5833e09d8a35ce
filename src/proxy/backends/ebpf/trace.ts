import { canonical, type Packet } from '../../../model/index.ts'
import { type Books, frontendElement } from './books.ts'
import { endpointBytes, FLAG, frontendKey, INLINE, LOCAL_SLOTS, slotKey } from './layout.ts'
import { keyText, valueText } from './text.ts'

/**
 * What the connect or sendmsg of a packet's sender meets: the frontend, the port, and the endpoints that may be chosen. Undefined where the
 * programs leave it as it is.
 */
export const traceLines = (
  { source, destination, protocol }: Packet,
  { books, name }: { readonly books: Books; readonly name: string },
): readonly string[] | undefined => {
  if (source.class === 'outside') return undefined
  const key = frontendKey({ address: canonical(destination.address), port: destination.port, protocol })
  const holder = books.at(key)
  if (holder === undefined) return undefined
  const { port, flags } = holder
  const [served, inLocal] = source.class === 'node' ? [FLAG.node, FLAG.nodeLocal] : [FLAG.pod, FLAG.podLocal]
  if ((flags & served) === 0) return undefined
  const isLocal = (flags & inLocal) !== 0
  const targets = isLocal ? port.local : port.cluster
  if (targets.length === 0) return undefined
  // Small cluster sets are in the frontend.
  const inSlots = isLocal || targets.length > INLINE ? targets : []
  const version = destination.address.includes(':') ? 6 : 4
  return [
    `program connect${version}${protocol === 'UDP' ? ` or sendmsg${version}` : ''} of ${name}`,
    `map fw_frontends: ${keyText('frontends', key)} : ${valueText('frontends', frontendElement(holder))}`,
    ...inSlots.map((target, index) => {
      const slot = isLocal ? LOCAL_SLOTS + index : index
      return `map fw_slots: ${keyText('slots', slotKey(port.id, slot))} : ${valueText('slots', endpointBytes(target))}`
    }),
  ]
}
