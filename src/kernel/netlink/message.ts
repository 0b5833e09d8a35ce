import { MESSAGE_TYPE } from './numbers.ts'
import { type MessageHead, NetlinkWriter } from './writer.ts'

/** A whole message; `payload` follows the head and `nfgenmsg`, as attributes written by a {@link NetlinkWriter} or `raw` bytes. */
export interface MessageSpec extends MessageHead {
  readonly payload?: Uint8Array
}

/** One message. For many, write them all into one {@link NetlinkWriter}. */
export const message = ({ payload, ...head }: MessageSpec): Buffer => {
  const writer = new NetlinkWriter(HEAD + (payload?.length ?? 0) + 8)
  const at = writer.begin(head)
  if (payload !== undefined) {
    const place = writer.raw(payload.length)
    writer.memory.set(payload, place)
  }
  writer.end(at)
  return writer.written()
}

const HEAD = 16

/** A message as it was received. */
export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly portId: number
  /** All after `nlmsghdr`; a view of the datagram. */
  readonly payload: Buffer
}

/** The messages of one datagram. Fails on one that is cut off: a kernel that breaks its own format cannot be trusted with the rest. */
export const parseMessages = (bytes: Buffer): readonly NetlinkMessage[] => {
  const messages: NetlinkMessage[] = []
  for (let at = 0; at + HEAD <= bytes.length; ) {
    const length = bytes.readUInt32LE(at)
    if (length < HEAD || at + length > bytes.length) {
      throw new Error(`netlink: message of ${length} bytes at ${at} does not fit its datagram of ${bytes.length}`)
    }
    const type = bytes.readUInt16LE(at + 4)
    if (type !== MESSAGE_TYPE.noop) {
      messages.push({
        type,
        flags: bytes.readUInt16LE(at + 6),
        sequence: bytes.readUInt32LE(at + 8),
        portId: bytes.readUInt32LE(at + 12),
        payload: bytes.subarray(at + HEAD, at + length),
      })
    }
    at += (length + 3) & ~3
  }
  return messages
}
