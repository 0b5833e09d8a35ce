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
import { ENDPOINT, FLOWS, FRONTEND, PEER } from '../layout.ts'
import { ASKED, CHOSEN, whereMember } from './choose.ts'
import { protocol, socket, type Version, writeContext } from './context.ts'
import { copy, lookup, moved, onStack, STACK, stackAddress, unlessEqual } from './words.ts'

/** The cookie of the context's socket on the stack. */
const findSocket: readonly Instruction[] = [move(r1, r6), call('get_socket_cookie'), store('u64', onStack(STACK.socket), r0)]

/** Where there is no room to remember, the socket could not tell its peer's name: it is left to the inner backend. */
export const rememberPeer: readonly Instruction[] = [
  ...findSocket,
  mapAddress(r1, 'peers'),
  ...stackAddress(r2, STACK.socket),
  // Frontend and endpoint lie one after the other.
  ...stackAddress(r3, STACK.frontend),
  move(r4, 0),
  call('map_update_elem'),
  when(r0, 'ne', 0, 'leave'),
]

const forgetSocket: readonly Instruction[] = [
  ...findSocket,
  mapAddress(r1, 'peers'),
  ...stackAddress(r2, STACK.socket),
  call('map_delete_elem'),
]

const IPPROTO_UDP = 17

/** A UDP socket that now talks to somebody else must not give a Service as its peer; TCP sockets connect once. */
export const forgetPeer: readonly Instruction[] = [
  load('u32', r1, protocol),
  when(r1, 'ne', IPPROTO_UDP, 'forgotten'),
  ...forgetSocket,
  label('forgotten'),
]

/** A socket ends. */
export const forgetEnded: readonly Instruction[] = forgetSocket

/** r0 is the socket's storage, or the label is next. */
const flows = ({ create, absent }: { readonly create: boolean; readonly absent: string }): readonly Instruction[] => [
  mapAddress(r1, 'flows'),
  load('u64', r2, socket),
  move(r3, 0),
  move(r4, create ? 1 : 0),
  call('sk_storage_get'),
  when(r0, 'eq', 0, absent),
  move(r9, r0),
]

const flowIndexes = Array.from({ length: FLOWS.count }, (_, index) => index)

/** Goes to `NAME-found` with r9 at the entry of the frontend that is asked for; falls through where there is none. */
const findFlow = (name: string): readonly Instruction[] =>
  flowIndexes.flatMap((index) => {
    const entry = index * PEER.valueSize
    const otherwise = `${name}-not-${index}`
    return [
      ...unlessEqual(at(r9, entry + PEER.frontend), ASKED, { bytes: FRONTEND.keySize, width: 'u32', otherwise }),
      arithmetic(r9, 'add', entry),
      jump(`${name}-found`),
      label(otherwise),
    ]
  })

/** As conntrack would: an unconnected socket stays at the endpoint that it sent to, as long as that is one. */
export const knownFlow: readonly Instruction[] = [
  ...flows({ create: false, absent: 'fresh' }),
  ...findFlow('known'),
  jump('fresh'),
  label('known-found'),
  ...copy(at(r9, PEER.endpoint), CHOSEN, { bytes: ENDPOINT.size, width: 'u32' }),
  ...whereMember,
  jump('rewrite'),
]

/** In the place of what the socket had for this frontend, else of the oldest. */
export const rememberFlow: readonly Instruction[] = [
  ...flows({ create: true, absent: 'leave' }),
  ...findFlow('remember'),
  load('u32', r1, at(r9, FLOWS.next)),
  arithmetic(r1, 'and', FLOWS.count - 1),
  move(r2, r1),
  arithmetic(r2, 'add', 1),
  store('u32', at(r9, FLOWS.next), r2),
  arithmetic(r1, 'mul', PEER.valueSize),
  arithmetic(r9, 'add', r1),
  label('remember-found'),
  ...copy(ASKED, at(r9, 0), { bytes: PEER.valueSize, width: 'u64' }),
]

/** Where the context is an endpoint that the socket reached through a Service, it becomes the Service. */
export const restorePeer = (version: Version): readonly Instruction[] => [
  ...findSocket,
  ...lookup('peers', STACK.socket, 'no-peer'),
  move(r9, r0),
  ...restoreFrom(0, { version, otherwise: 'no-peer' }),
  label('no-peer'),
]

export const restoreFlow = (version: Version): readonly Instruction[] => [
  ...flows({ create: false, absent: 'no-flow' }),
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
  ...unlessEqual(at(r9, entry + PEER.endpoint), ASKED, { bytes: 16, width: 'u32', otherwise }),
  load('u16', r1, at(r9, entry + PEER.endpoint + ENDPOINT.port)),
  load('u16', r2, moved(ASKED, FRONTEND.port)),
  when(r1, 'ne', r2, otherwise),
  ...writeContext(version, at(r9, entry + PEER.frontend)),
  jump('done'),
]
