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
import { AFFINITY, FLAG, FRONTEND, LOCAL_SLOTS, MEMBER, MEMBERSHIP, PORT, SLOT } from '../layout.ts'
import { protocol, readContext, type Version } from './context.ts'
import { copy, lookup, moved, onStack, STACK, stackAddress } from './words.ts'

/** The endpoint in the key of a member. */
export const CHOSEN = {
  address: onStack(STACK.member + MEMBERSHIP.address),
  port: onStack(STACK.member + MEMBERSHIP.port),
} as const

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
  load('u32', r7, at(r0, FRONTEND.id)),
  load('u32', r8, at(r0, FRONTEND.flags)),
]

/** The flags of other namespaces lie two bits higher. */
const findSet = (nodeCookie: bigint): readonly Instruction[] => [
  move(r1, r6),
  call('get_netns_cookie'),
  store('u64', onStack(STACK.affinity + AFFINITY.cookie), r0),
  constant(r1, nodeCookie),
  when(r0, 'eq', r1, 'of-node'),
  arithmetic(r8, 'rsh', Math.log2(FLAG.others)),
  label('of-node'),
  move(r1, r8),
  arithmetic(r1, 'and', FLAG.node),
  when(r1, 'eq', 0, 'leave'),
  arithmetic(r8, 'rsh', Math.log2(FLAG.nodeLocal)),
  arithmetic(r8, 'and', 1),
]

/** Leaves the timeout of the affinity in r1. */
const findCount: readonly Instruction[] = [
  store('u32', onStack(STACK.slot + SLOT.id), r7),
  ...lookup('ports', STACK.slot, 'leave'),
  load('u32', r9, at(r0, PORT.clusterCount)),
  when(r8, 'eq', 0, 'counted'),
  load('u32', r9, at(r0, PORT.localCount)),
  label('counted'),
  when(r9, 'eq', 0, 'leave'),
  store('u32', onStack(STACK.count), r9),
  load('u32', r1, at(r0, PORT.affinitySeconds)),
  store('u64', onStack(STACK.affinitySeconds), r1),
  store('u32', onStack(STACK.member + MEMBERSHIP.id), r7),
  move(r2, 0),
  store('u16', onStack(STACK.member + MEMBERSHIP.port + 2), r2),
]

/** Goes on where the endpoint at {@link CHOSEN} is in the set, else to `fresh`. */
export const whereMember: readonly Instruction[] = [
  ...lookup('members', STACK.member, 'fresh'),
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
  ...copy(at(r9, AFFINITY.address), CHOSEN.address, { bytes: 16, width: 'u32' }),
  load('u16', r1, at(r9, AFFINITY.port)),
  store('u16', CHOSEN.port, r1),
  ...whereMember,
  load('u64', r1, onStack(STACK.now)),
  store('u64', at(r9, AFFINITY.usedAt), r1),
  jump('chosen'),
]

const pick: readonly Instruction[] = [
  call('get_prandom_u32'),
  load('u32', r1, onStack(STACK.count)),
  arithmetic(r0, 'mod', r1),
  when(r8, 'eq', 0, 'of-cluster'),
  constant(r1, BigInt(LOCAL_SLOTS)),
  arithmetic(r0, 'or', r1),
  label('of-cluster'),
  store('u32', onStack(STACK.slot + SLOT.slot), r0),
  // Just taken away: the rules of the inner backend are a moment older, and whole.
  ...lookup('slots', STACK.slot, 'leave'),
  move(r9, r0),
  ...copy(at(r9, SLOT.address), CHOSEN.address, { bytes: 16, width: 'u32' }),
  load('u16', r1, at(r9, SLOT.port)),
  store('u16', CHOSEN.port, r1),
]

const remember: readonly Instruction[] = [
  call('ktime_get_ns'),
  store('u64', onStack(STACK.affinityValue + AFFINITY.usedAt), r0),
  ...copy(CHOSEN.address, onStack(STACK.affinityValue + AFFINITY.address), { bytes: 16, width: 'u32' }),
  move(r1, 0),
  store('u64', onStack(STACK.affinityValue + AFFINITY.port), r1),
  load('u16', r1, CHOSEN.port),
  store('u16', onStack(STACK.affinityValue + AFFINITY.port), r1),
  mapAddress(r1, 'affinity'),
  ...stackAddress(r2, STACK.affinity),
  ...stackAddress(r3, STACK.affinityValue),
  move(r4, 0),
  call('map_update_elem'),
]

/** What the socket asked for, as far as the stack holds it. */
export const ASKED = { address: onStack(STACK.frontend), port: moved(onStack(STACK.frontend), FRONTEND.port) } as const
