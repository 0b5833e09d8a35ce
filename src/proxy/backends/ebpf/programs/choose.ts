import {
  arithmetic,
  at,
  call,
  constant,
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
  r7,
  r8,
  r9,
  store,
  when,
} from '../../../../kernel/bpf/index.ts'
import { AFFINITY, ENDPOINT, FLAG, FRONTEND, INLINE, LOCAL_SLOTS, MEMBER, SLOT } from '../layout.ts'
import { protocol, readContext, type Version } from './context.ts'
import { copy, lookup, onStack, STACK, stackAddress } from './words.ts'

/** The endpoint that was chosen. */
export const CHOSEN = onStack(STACK.endpoint)

export interface ChooseOptions {
  readonly version: Version
  /** Of the node's network namespace. */
  readonly nodeCookie: bigint
  /** Where a socket may come back to an endpoint that it has: goes to `chosen`, with the endpoint on the stack, or falls through to a fresh choice. */
  readonly known: readonly Instruction[]
}

/**
 * From what the socket asks for to an endpoint on the stack at {@link CHOSEN}. Goes to the label `leave` where that is no frontend, the source is
 * not one that the programs serve there, or the set is empty: the packet then meets the inner backend's rules.
 */
export const choose = ({ version, nodeCookie, known }: ChooseOptions): readonly Instruction[] => [
  ...findFrontend(version),
  ...findSet(nodeCookie),
  ...findCount,
  load('u32', r1, at(r9, FRONTEND.affinitySeconds)),
  store('u64', onStack(STACK.affinitySeconds), r1),
  when(r1, 'eq', 0, 'without-affinity'),
  ...remembered,
  label('without-affinity'),
  ...known,
  label('fresh'),
  ...pick,
  load('u64', r1, onStack(STACK.affinitySeconds)),
  when(r1, 'eq', 0, 'chosen'),
  ...remember,
  label('chosen'),
]

const findFrontend = (version: Version): readonly Instruction[] => [
  ...readContext(version),
  load('u32', r1, protocol),
  // MPTCP's number would look like TCP's in one byte.
  when(r1, 'gt', 255, 'leave'),
  store('u8', onStack(STACK.frontend + FRONTEND.protocol), r1),
  move(r1, 0),
  store('u8', onStack(STACK.frontend + FRONTEND.protocol + 1), r1),
  ...lookup('frontends', STACK.frontend, 'leave'),
  move(r9, r0),
  load('u32', r7, at(r9, FRONTEND.id)),
  load('u32', r8, at(r9, FRONTEND.flags)),
]

/** The flags of pods lie two bits higher. */
const findSet = (nodeCookie: bigint): readonly Instruction[] => [
  move(r1, r6),
  call('get_netns_cookie'),
  store('u64', onStack(STACK.affinity + AFFINITY.cookie), r0),
  constant(r1, nodeCookie),
  when(r0, 'eq', r1, 'of-node'),
  // The cookie is the key.
  ...lookup('pods', STACK.affinity + AFFINITY.cookie, 'leave'),
  arithmetic(r8, 'rsh', Math.log2(FLAG.pod)),
  label('of-node'),
  move(r1, r8),
  arithmetic(r1, 'and', FLAG.node),
  when(r1, 'eq', 0, 'leave'),
  arithmetic(r8, 'rsh', Math.log2(FLAG.nodeLocal)),
  arithmetic(r8, 'and', 1),
]

const findCount: readonly Instruction[] = [
  load('u32', r1, at(r9, FRONTEND.clusterCount)),
  when(r8, 'eq', 0, 'counted'),
  load('u32', r1, at(r9, FRONTEND.localCount)),
  label('counted'),
  when(r1, 'eq', 0, 'leave'),
  store('u32', onStack(STACK.count), r1),
  store('u32', onStack(STACK.id), r7),
  store('u64', onStack(STACK.value), r9),
]

/** Goes on where the endpoint at {@link CHOSEN} is in the set, else to `fresh`. */
export const whereMember: readonly Instruction[] = [
  ...lookup('members', STACK.endpoint, 'fresh'),
  load('u32', r1, at(r0, 0)),
  move(r2, r8),
  arithmetic(r2, 'add', MEMBER.cluster),
  arithmetic(r1, 'and', r2),
  when(r1, 'eq', 0, 'fresh'),
]

const NANOSECONDS = 1_000_000_000

const remembered: readonly Instruction[] = [
  store('u32', onStack(STACK.affinity + AFFINITY.id), r7),
  move(r1, 0),
  store('u32', onStack(STACK.affinity + AFFINITY.id + 4), r1),
  ...lookup('affinity', STACK.affinity, 'fresh'),
  move(r9, r0),
  call('ktime_get_ns'),
  store('u64', onStack(STACK.now), r0),
  load('u64', r1, at(r9, AFFINITY.usedAt)),
  arithmetic(r0, 'sub', r1),
  load('u64', r1, onStack(STACK.affinitySeconds)),
  arithmetic(r1, 'mul', NANOSECONDS),
  when(r0, 'gt', r1, 'fresh'),
  ...copy(at(r9, AFFINITY.endpoint), CHOSEN, { bytes: ENDPOINT.size, width: 'u32' }),
  ...whereMember,
  load('u64', r1, onStack(STACK.now)),
  store('u64', at(r9, AFFINITY.usedAt), r1),
  jump('chosen'),
]

const pick: readonly Instruction[] = [
  call('get_prandom_u32'),
  load('u32', r1, onStack(STACK.count)),
  arithmetic(r0, 'mod', r1),
  when(r8, 'ne', 0, 'of-local'),
  when(r1, 'gt', INLINE, 'in-slots'),
  // The verifier does not see that the rest of a division is less than what divides.
  when(r0, 'gt', INLINE - 1, 'leave'),
  load('u64', r9, onStack(STACK.value)),
  arithmetic(r0, 'mul', ENDPOINT.size),
  arithmetic(r9, 'add', r0),
  ...copy(at(r9, FRONTEND.inline), CHOSEN, { bytes: ENDPOINT.size, width: 'u32' }),
  jump('picked'),
  label('of-local'),
  constant(r1, BigInt(LOCAL_SLOTS)),
  arithmetic(r0, 'or', r1),
  label('in-slots'),
  store('u32', onStack(STACK.slot + SLOT.id), r7),
  store('u32', onStack(STACK.slot + SLOT.slot), r0),
  // Just taken away: the rules of the inner backend are a moment older, and whole.
  ...lookup('slots', STACK.slot, 'leave'),
  ...copy(at(r0, 0), CHOSEN, { bytes: ENDPOINT.size, width: 'u32' }),
  label('picked'),
]

const remember: readonly Instruction[] = [
  call('ktime_get_ns'),
  store('u64', onStack(STACK.affinityValue + AFFINITY.usedAt), r0),
  ...copy(CHOSEN, onStack(STACK.affinityValue + AFFINITY.endpoint), { bytes: ENDPOINT.size, width: 'u32' }),
  move(r1, 0),
  store('u32', onStack(STACK.affinityValue + AFFINITY.endpoint + ENDPOINT.size), r1),
  mapAddress(r1, 'affinity'),
  ...stackAddress(r2, STACK.affinity),
  ...stackAddress(r3, STACK.affinityValue),
  move(r4, 0),
  call('map_update_elem'),
]

/** What the socket asked for: the key of a frontend. */
export const ASKED = onStack(STACK.frontend)
