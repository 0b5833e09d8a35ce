import { constants } from 'node:os'
import { HostError } from '../../host/index.ts'
import { parseAttributes, readText } from './attributes.ts'
import type { NetlinkMessage } from './message.ts'
import { FLAG, MESSAGE_TYPE } from './numbers.ts'

/** What the kernel answers to one request. */
export interface Acknowledgement {
  /** Of the request. */
  readonly sequence: number
  /** 0 when it was done. */
  readonly errno: number
  /** The kernel's own words (NETLINK_EXT_ACK), where it has any. */
  readonly text?: string
  /** Place of the attribute that it did not like, from the start of the request. */
  readonly offset?: number
}

/** Reads an acknowledgement or error; undefined for other messages. */
export const acknowledgementOf = ({ type, flags, payload }: NetlinkMessage): Acknowledgement | undefined => {
  if (type !== MESSAGE_TYPE.error) return undefined
  if (payload.length < ERROR_HEAD) throw new Error(`netlink: acknowledgement of ${payload.length} bytes is cut off`)
  const answer = { sequence: payload.readUInt32LE(SEQUENCE_AT), errno: -payload.readInt32LE(0) }
  if ((flags & FLAG.ackAttributes) === 0) return answer
  // Without NLM_F_CAPPED the whole request stands before the attributes.
  const from = (flags & FLAG.capped) !== 0 ? ERROR_HEAD : 4 + ((payload.readUInt32LE(4) + 3) & ~3)
  const attributes = parseAttributes(payload, from)
  const text = attributes.get(ATTRIBUTE.text)
  const offset = attributes.get(ATTRIBUTE.offset)
  return {
    ...answer,
    ...(text === undefined ? {} : { text: readText(text) }),
    ...(offset === undefined ? {} : { offset: offset.readUInt32LE(0) }),
  }
}

/** The error that a message is, or undefined for an acknowledgement of success and for anything else. `what` was asked: `nft: get table`. */
export const errorOf = (message: NetlinkMessage, what: string): HostError | undefined => {
  const answer = acknowledgementOf(message)
  if (answer === undefined || answer.errno === 0) return undefined
  return netlinkError(what, answer)
}

/** `HostError` with the errno's name as code; the kernel's own words are in the message. */
export const netlinkError = (what: string, { errno, text }: Pick<Acknowledgement, 'errno' | 'text'>): HostError => {
  const code = NAMES.get(errno) ?? `errno ${errno}`
  const words = MEANINGS.get(code) ?? code
  return new HostError(`${what}: ${words}${text === undefined || text === '' ? '' : ` (${text})`}`, {
    code,
    command: ['netlink', what],
  })
}

/** Code and the 16 bytes of the request's head. */
const ERROR_HEAD = 20
const SEQUENCE_AT = 12
const ATTRIBUTE = { text: 1, offset: 2 } as const

/** EWOULDBLOCK and ENOTSUP are second names of EAGAIN and EOPNOTSUPP. */
const NAMES = new Map(
  Object.entries(constants.errno)
    .filter(([name]) => name !== 'EWOULDBLOCK' && name !== 'ENOTSUP')
    .map(([name, number]) => [number, name]),
)

/** The words that the C library and so the Debian tools have for them. */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['EPERM', 'Operation not permitted'],
  ['ENOENT', 'No such file or directory'],
  ['EEXIST', 'File exists'],
  ['EBUSY', 'Device or resource busy'],
  ['EINVAL', 'Invalid argument'],
  ['ENOSPC', 'No space left on device'],
  ['ENFILE', 'Too many open files in system'],
  ['EOPNOTSUPP', 'Operation not supported'],
  ['ENOMEM', 'Cannot allocate memory'],
  ['EMSGSIZE', 'Message too long'],
  ['ERANGE', 'Numerical result out of range'],
])
