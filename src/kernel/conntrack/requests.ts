import { addressToBytes, readAddress } from '../../ip/index.ts'
import { FLAG, NetlinkWriter } from '../netlink/index.ts'
import type { ConntrackEntry, ListFilter, Tuple } from './entries.ts'
import { AF, CTA, FILTER, IP, MESSAGE, PROTOCOL, PROTOCOL_NUMBER, TUPLE } from './numbers.ts'
import { kernelFilter } from './wanted.ts'

/** The request for all entries of a filter; the kernel leaves out what it can. */
export const listRequest = (filter: ListFilter, sequence: number): Buffer => {
  const { family, protocol } = filter
  const { address, port } = kernelFilter(filter)
  const writer = new NetlinkWriter(256)
  const at = writer.begin({ type: MESSAGE.get, flags: FLAG.request | FLAG.dump, sequence, family: AF[family] })
  const tuple = writer.open(CTA.original)
  if (address !== undefined) {
    const ip = writer.open(TUPLE.address)
    writer.bytes(IP[family].destination, bytesOf(address))
    writer.close(ip)
  }
  const proto = writer.open(TUPLE.protocol)
  writer.u8(PROTOCOL.number, PROTOCOL_NUMBER[protocol])
  if (port !== undefined) writer.u16be(PROTOCOL.destination, port)
  writer.close(proto)
  writer.close(tuple)
  const flags = Buffer.alloc(4)
  // In the byte order of the machine, unlike the rest.
  flags.writeUInt32LE(
    FILTER.protocol.number |
      (port === undefined ? 0 : FILTER.protocol.destination) |
      (address === undefined ? 0 : FILTER.address.destination),
  )
  const part = writer.open(CTA.filter)
  writer.bytes(FILTER.original, flags)
  writer.close(part)
  writer.end(at)
  return writer.written()
}

/**
 * Asks to remove an entry. It is named by where its answers come from, and by the kernel's number: what leads elsewhere by now is not found.
 * A delete without a tuple would flush the table: this one always has one.
 */
export const writeRemoval = (writer: NetlinkWriter, entry: ConntrackEntry, sequence: number): void => {
  const flags = FLAG.request | FLAG.ack
  const at = writer.begin({ type: MESSAGE.delete, flags, sequence, family: AF[entry.family] })
  writeTuple(writer, CTA.reply, entry, entry.reply)
  writer.u32be(CTA.id, entry.id)
  writer.end(at)
}

/** Makes an entry that no packet made: for tests and measurements. */
export const writeCreation = (
  writer: NetlinkWriter,
  entry: Omit<ConntrackEntry, 'id' | 'replied'> & { readonly timeoutSeconds: number },
  sequence: number,
): void => {
  const flags = FLAG.request | FLAG.ack | FLAG.create | FLAG.exclusive
  const at = writer.begin({ type: MESSAGE.new, flags, sequence, family: AF[entry.family] })
  writeTuple(writer, CTA.original, entry, entry.original)
  writeTuple(writer, CTA.reply, entry, entry.reply)
  writer.u32be(CTA.timeout, entry.timeoutSeconds)
  writer.u32be(CTA.mark, entry.mark)
  writer.end(at)
}

const writeTuple = (
  writer: NetlinkWriter,
  type: number,
  { family, protocol }: Pick<ConntrackEntry, 'family' | 'protocol'>,
  { source, destination }: Tuple,
): void => {
  const tuple = writer.open(type)
  const ip = writer.open(TUPLE.address)
  writer.bytes(IP[family].source, bytesOf(source.address))
  writer.bytes(IP[family].destination, bytesOf(destination.address))
  writer.close(ip)
  const proto = writer.open(TUPLE.protocol)
  writer.u8(PROTOCOL.number, PROTOCOL_NUMBER[protocol])
  writer.u16be(PROTOCOL.source, source.port)
  writer.u16be(PROTOCOL.destination, destination.port)
  writer.close(proto)
  writer.close(tuple)
}

/** An address in network order. */
export const bytesOf = (text: string): Uint8Array => {
  const address = readAddress(text)?.address
  if (address === undefined) throw new Error(`conntrack: ${JSON.stringify(text)} is no address; give one in canonical text`)
  return addressToBytes(address)
}
