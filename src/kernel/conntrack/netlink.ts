import { errorMessage } from '../../base/index.ts'
import { HostError } from '../../host/index.ts'
import { type Libc, NETLINK_NETFILTER, type NetlinkSocket, openNetlink } from '../../host/native/index.ts'
import { acknowledgementOf, errorOf, MESSAGE_TYPE, NetlinkWriter, netlinkError, parseMessages } from '../netlink/index.ts'
import { entryReader } from './answers.ts'
import type { Conntrack, ConntrackEntry, ListFilter } from './entries.ts'
import { listRequest, writeRemoval } from './requests.ts'
import { listsOf } from './wanted.ts'

/** Where to speak netlink. */
export interface NetlinkConntrackOptions {
  readonly libc: Libc
  /** Path of another network namespace. */
  readonly namespace?: string
}

/** {@link Conntrack} by ctnetlink in this process; a socket for each call, so nothing is held between them. Needs CAP_NET_ADMIN. */
export const createNetlinkConntrack = (options: NetlinkConntrackOptions): Conntrack => ({
  probe: () => probe(options),
  list: (filter) => withSocket(options, (socket) => list(socket, filter)),
  remove: (entries) => (entries.length === 0 ? Promise.resolve(0) : withSocket(options, (socket) => remove(socket, entries))),
})

const probe = async (options: NetlinkConntrackOptions): Promise<string | undefined> => {
  try {
    // Nothing is sent to the unspecified address, so this lists nothing.
    const nowhere = [{ address: '0.0.0.0', port: 0 }]
    await withSocket(options, (socket) => list(socket, { family: 'IPv4', protocol: 'UDP', destinations: nowhere }))
    return undefined
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    if (error.code === 'EPERM' || error.code === 'EACCES')
      return 'conntrack: no permission to read it; run as root or grant CAP_NET_ADMIN'
    return `conntrack: the kernel does not answer (${errorMessage(error)}); load the module nf_conntrack_netlink (CONFIG_NF_CT_NETLINK)`
  }
}

const withSocket = async <T>(
  { libc, namespace }: NetlinkConntrackOptions,
  act: (socket: NetlinkSocket) => Promise<T>,
): Promise<T> => {
  const socket = openNetlink(libc, NETLINK_NETFILTER, namespace === undefined ? {} : { namespace })
  try {
    return await act(socket)
  } finally {
    socket.close()
  }
}

const LIST = 'conntrack: list'
const REMOVE = 'conntrack: remove'

const list = async (socket: NetlinkSocket, filter: ListFilter): Promise<readonly ConntrackEntry[]> => {
  if (filter.destinations?.length === 0) return []
  const entries: ConntrackEntry[] = []
  for (const [index, each] of listsOf(filter).entries()) await dump(socket, each, { sequence: index + 1, into: entries })
  return entries
}

interface Dump {
  readonly sequence: number
  readonly into: ConntrackEntry[]
}

const dump = async (socket: NetlinkSocket, filter: ListFilter, { sequence, into }: Dump): Promise<void> => {
  const read = entryReader(filter)
  await socket.send(listRequest(filter, sequence))
  for (;;) {
    // The kernel walks its table in this call, so it waits on a thread of the pool.
    for (const message of parseMessages(await socket.receive())) {
      if (message.sequence !== sequence) continue
      const error = errorOf(message, LIST)
      if (error !== undefined) throw error
      if (message.type === MESSAGE_TYPE.done) return
      const entry = read(message.payload)
      if (entry !== undefined) into.push(entry)
    }
  }
}

/** Each is acknowledged by itself; so many fit the receive buffer. */
const AT_ONCE = 500

const remove = async (socket: NetlinkSocket, entries: readonly ConntrackEntry[]): Promise<number> => {
  const writer = new NetlinkWriter(64 * 1024)
  const failures: HostError[] = []
  let removed = 0
  for (let from = 0; from < entries.length; from += AT_ONCE) {
    const batch = entries.slice(from, from + AT_ONCE)
    writer.reset()
    for (const [index, entry] of batch.entries()) writeRemoval(writer, entry, from + index)
    await socket.send(writer.written())
    for (let left = batch.length; left > 0; ) {
      for (const message of parseMessages(await socket.receive())) {
        const answer = acknowledgementOf(message)
        if (answer === undefined) continue
        left--
        if (answer.errno === 0) removed++
        else if (answer.errno !== ENOENT) failures.push(netlinkError(REMOVE, answer))
      }
    }
  }
  const [failure] = failures
  if (failure !== undefined) throw failure
  return removed
}

const ENOENT = 2
