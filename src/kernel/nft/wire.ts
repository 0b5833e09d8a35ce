/** Numbers of linux/netfilter/nfnetlink.h and nf_tables.h that this folder uses. */
export const SUBSYSTEM = 10

/** Message types; on the wire behind the subsystem's number. */
export const MESSAGE = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  deleteChain: 5,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  getSet: 10,
  deleteSet: 11,
  newElements: 12,
  getElements: 13,
  deleteElements: 14,
  newGeneration: 15,
  getGeneration: 16,
} as const

export const messageType = (message: number): number => (SUBSYSTEM << 8) | message

/** These have no subsystem. */
export const BATCH = { begin: 0x10, end: 0x11 } as const

/** `NFPROTO_*`. */
export const FAMILY = { ip: 2, ip6: 10 } as const

/** Attributes, `NFTA_*`. The table is number 1 in every message. */
export const TABLE = { name: 1, flags: 2 } as const
export const TABLE_FLAG = { dormant: 1, owner: 2 } as const
export const CHAIN = { table: 1, name: 3, hook: 4, policy: 5, type: 7 } as const
export const HOOK = { number: 1, priority: 2 } as const
export const RULE = { table: 1, chain: 2, expressions: 4, userdata: 7 } as const
export const SET = {
  table: 1,
  name: 2,
  flags: 3,
  keyType: 4,
  keyLength: 5,
  dataType: 6,
  dataLength: 7,
  description: 9,
  id: 10,
  userdata: 13,
} as const
export const DESCRIPTION = { size: 1, fields: 2 } as const
export const ELEMENTS = { table: 1, set: 2, list: 3 } as const
export const ELEMENT = { key: 1, data: 2, flags: 3, keyEnd: 10 } as const
export const DATA = { value: 1, verdict: 2 } as const
export const VERDICT = { code: 1, chain: 2 } as const
export const GENERATION = { id: 1, process: 2, processName: 3 } as const
/** A member of a list. */
export const MEMBER = 1

export const SET_FLAG = { interval: 0x4, map: 0x8, timeout: 0x10, dynamic: 0x20, concatenation: 0x80 } as const
export const INTERVAL_END = 1
/** Data type of maps whose values are verdicts. */
export const VERDICT_TYPE = 0xffff_ff00
/** Codes of verdicts, as unsigned numbers. */
export const CODE = { drop: 0, accept: 1, jump: 0xffff_fffd, goto: 0xffff_fffc, return: 0xffff_fffb } as const
