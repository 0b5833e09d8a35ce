import {
  arithmetic,
  at,
  call,
  type Instruction,
  jump,
  label,
  load,
  mapAddress,
  move,
  type Place,
  r0,
  r1,
  r2,
  r3,
  r4,
  r6,
  r9,
  store,
  when,
} from '../../../../kernel/bpf/index.ts'
import { FLOWS, PEER } from '../layout.ts'
import { ASKED, CHOSEN, whereMember } from './choose.ts'
import { protocol, socket, type Version, writeContext } from './context.ts'
import { copy, moved, onStack, STACK, stackAddress, unlessEqual } from './words.ts'

/** r0 is the socket's storage in this map, or the label is next. */
const storageOf = (
  map: 'peers' | 'flows',
  { create, absent }: { readonly create: boolean; readonly absent: string },
): readonly Instruction[] => [
  mapAddress(r1, map),
  load('u64', r2, socket),
  move(r3, 0),
  move(r4, create ? 1 : 0),
  call('sk_storage_get'),
  when(r0, 'eq', 0, absent),
]

/** Service and endpoint to a {@link PEER} at this place. */
const writePeer = (to: Place): readonly Instruction[] => [
  ...copy(ASKED.address, moved(to, PEER.service), { bytes: 16, width: 'u64' }),
  load('u16', r1, ASKED.port),
  store('u32', moved(to, PEER.servicePort), r1),
  ...copy(CHOSEN.address, moved(to, PEER.endpoint), { bytes: 16, width: 'u32' }),
  load('u16', r1, CHOSEN.port),
  store('u32', moved(to, PEER.endpointPort), r1),
]

const IPPROTO_UDP = 17

/** The cookie of the context's socket on the stack. */
const cookieKey: readonly Instruction[] = [move(r1, r6), call('get_socket_cookie'), store('u64', onStack(STACK.now), r0)]

const forgetSocket: readonly Instruction[] = [
  ...cookieKey,
  mapAddress(r1, 'connected'),
  ...stackAddress(r2, STACK.now),
  call('map_delete_elem'),
]

/** Offset in `struct bpf_sock` (linux/bpf.h). */
const SOCK_PROTOCOL = 12

/** A socket that ends is no longer connected. */
export const forgetEnded: readonly Instruction[] = [
  load('u32', r1, at(r6, SOCK_PROTOCOL)),
  when(r1, 'ne', IPPROTO_UDP, 'done'),
  ...forgetSocket,
]

/** Without room to remember, the socket could not tell its peer's name: it is left to the inner backend. */
export const rememberPeer: readonly Instruction[] = [
  ...storageOf('peers', { create: true, absent: 'leave' }),
  move(r9, r0),
  ...writePeer(at(r9, 0)),
  load('u32', r1, protocol),
  when(r1, 'ne', IPPROTO_UDP, 'rewrite'),
  ...cookieKey,
  mapAddress(r1, 'connected'),
  ...stackAddress(r2, STACK.now),
  // The endpoint and two zeros behind it.
  ...stackAddress(r3, CHOSEN.address.offset),
  move(r4, 0),
  call('map_update_elem'),
]

/** A socket that now talks to somebody else must not give a Service as its peer. */
export const forgetPeer: readonly Instruction[] = [
  ...storageOf('peers', { create: false, absent: 'forgotten' }),
  move(r1, 0),
  store('u32', at(r0, PEER.endpointPort), r1),
  ...forgetSocket,
  label('forgotten'),
]

const flowIndexes = Array.from({ length: FLOWS.count }, (_, index) => index)

/** As conntrack would: an unconnected socket stays at the endpoint that it sent to, as long as that is one. */
export const knownFlow: readonly Instruction[] = [
  ...storageOf('flows', { create: false, absent: 'fresh' }),
  move(r9, r0),
  ...findFlow('known'),
  jump('fresh'),
  label('known-found'),
  ...copy(at(r9, PEER.endpoint), CHOSEN.address, { bytes: 16, width: 'u32' }),
  load('u32', r1, at(r9, PEER.endpointPort)),
  store('u16', CHOSEN.port, r1),
  ...whereMember,
  jump('rewrite'),
]

/** In the place of what the socket had for this Service address, else of the oldest. */
export const rememberFlow: readonly Instruction[] = [
  ...storageOf('flows', { create: true, absent: 'leave' }),
  move(r9, r0),
  ...findFlow('remember'),
  load('u32', r1, at(r9, FLOWS.next)),
  arithmetic(r1, 'and', FLOWS.count - 1),
  move(r2, r1),
  arithmetic(r2, 'add', 1),
  store('u32', at(r9, FLOWS.next), r2),
  arithmetic(r1, 'mul', PEER.valueSize),
  arithmetic(r9, 'add', r1),
  label('remember-found'),
  ...writePeer(at(r9, 0)),
]

/** Goes to `NAME-found` with r9 at the entry of the Service address that is asked for; falls through where there is none. */
function findFlow(name: string): readonly Instruction[] {
  return flowIndexes.flatMap((index) => {
    const entry = index * PEER.valueSize
    const otherwise = `${name}-not-${index}`
    return [
      ...unlessEqual(at(r9, entry + PEER.service), ASKED.address, { bytes: 16, width: 'u64', otherwise }),
      load('u32', r1, at(r9, entry + PEER.servicePort)),
      load('u16', r2, ASKED.port),
      when(r1, 'ne', r2, otherwise),
      arithmetic(r9, 'add', entry),
      jump(`${name}-found`),
      label(otherwise),
    ]
  })
}

/** Where the context is an endpoint that the socket reached through a Service, it becomes the Service. */
export const restorePeer = (version: Version): readonly Instruction[] => [
  ...storageOf('peers', { create: false, absent: 'no-peer' }),
  move(r9, r0),
  ...restoreFrom(0, { version, otherwise: 'no-peer' }),
  label('no-peer'),
]

export const restoreFlow = (version: Version): readonly Instruction[] => [
  ...storageOf('flows', { create: false, absent: 'no-flow' }),
  move(r9, r0),
  ...flowIndexes.flatMap((index) => {
    const otherwise = `flow-not-${index}`
    return [...restoreFrom(index * PEER.valueSize, { version, otherwise }), label(otherwise)]
  }),
  label('no-flow'),
]

const restoreFrom = (
  entry: number,
  { version, otherwise }: { readonly version: Version; readonly otherwise: string },
): readonly Instruction[] => [
  ...unlessEqual(at(r9, entry + PEER.endpoint), ASKED.address, { bytes: 16, width: 'u32', otherwise }),
  load('u32', r1, at(r9, entry + PEER.endpointPort)),
  load('u16', r2, ASKED.port),
  when(r1, 'ne', r2, otherwise),
  ...writeContext(version, { address: at(r9, entry + PEER.service), port: at(r9, entry + PEER.servicePort), width: 'u32' }),
  jump('done'),
]
