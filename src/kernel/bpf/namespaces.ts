import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { errorCode } from '../../base/index.ts'
import { type Libc, type NetlinkSocket, networkCookie, openNetlink } from '../../host/native/index.ts'
import { errorOf, FLAG, MESSAGE_TYPE, message, parseAttributes, parseMessages } from '../netlink/index.ts'
import { localIPv4, localIPv6 } from './namespace-addresses.ts'
import type { NetworkNamespace } from './objects.ts'

export interface LinkedNamespacesOptions {
  readonly libc: Libc
  /** The node's, when it is not this process' own. */
  readonly namespace: string | undefined
}

/**
 * The network namespaces that hang on the node's by a link, such as one end of a veth pair, with their addresses and cookies. A scan of /proc: those
 * without a process that this one can see are unknown. Others on the same machine (another cluster's pods, a VPN) are linked elsewhere.
 */
export const linkedNamespaces = async ({ libc, namespace }: LinkedNamespacesOptions): Promise<readonly NetworkNamespace[]> => {
  const own = (await stat(namespace ?? '/proc/self/ns/net')).ino
  const processes = await processesByNamespace()
  processes.delete(own)
  if (processes.size === 0) return []
  const socket = openNetlink(libc, NETLINK_ROUTE, namespace === undefined ? {} : { namespace })
  try {
    await numberLinks(socket)
    const found: NetworkNamespace[] = []
    for (const pid of processes.values()) {
      const each = await unlessEnded(async () => ((await isLinked(socket, pid)) ? describe(libc, pid) : undefined))
      if (each !== undefined) found.push(each)
    }
    return found
  } finally {
    socket.close()
  }
}

const NETLINK_ROUTE = 0
/** linux/rtnetlink.h */
const RTM_GETLINK = 18
const RTM_GETNSID = 90
/** `struct ifinfomsg`, and `struct rtgenmsg` as it is aligned. */
const IFINFOMSG = 16
const RTGENMSG = 4
const ATTRIBUTE_HEAD = 4
/** linux/net_namespace.h */
const NETNSA_NSID = 1
const NETNSA_PID = 2

/** One process of each. */
const processesByNamespace = async (): Promise<Map<number, number>> => {
  const found = new Map<number, number>()
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    // `net:[4026531840]`; a process that ended meanwhile has none.
    const link = await readlink(`/proc/${entry}/ns/net`).catch(() => '')
    const inode = Number(/\[(\d+)\]/.exec(link)?.[1])
    if (Number.isInteger(inode) && !found.has(inode)) found.set(inode, Number(entry))
  }
  return found
}

/** The kernel gives namespaces a number when somebody asks for the links that lead there. */
const numberLinks = async (socket: NetlinkSocket): Promise<void> => {
  const request = { type: RTM_GETLINK, flags: FLAG.request | FLAG.dump, sequence: 1, payload: Buffer.alloc(IFINFOMSG) }
  await socket.send(message(request))
  for (let isDone = false; !isDone; ) {
    isDone = parseMessages(await socket.receive()).some(({ type }) => type === MESSAGE_TYPE.done || type === MESSAGE_TYPE.error)
  }
}

/** Whether the namespace of a process has a number in the node's: it has, where a link leads there. */
const isLinked = async (socket: NetlinkSocket, pid: number): Promise<boolean> => {
  const payload = Buffer.alloc(RTGENMSG + ATTRIBUTE_HEAD + 4)
  payload.writeUInt16LE(ATTRIBUTE_HEAD + 4, RTGENMSG)
  payload.writeUInt16LE(NETNSA_PID, RTGENMSG + 2)
  payload.writeUInt32LE(pid, RTGENMSG + ATTRIBUTE_HEAD)
  await socket.send(message({ type: RTM_GETNSID, flags: FLAG.request, sequence: pid, payload }))
  for (;;) {
    for (const answer of parseMessages(await socket.receive())) {
      if (answer.sequence !== pid) continue
      const error = errorOf(answer, 'network namespaces: get the number')
      if (error !== undefined) throw error
      return (parseAttributes(answer.payload, RTGENMSG).get(NETNSA_NSID)?.readInt32LE() ?? -1) >= 0
    }
  }
}

const describe = async (libc: Libc, pid: number): Promise<NetworkNamespace> => {
  const text = (name: string): Promise<string> => readFile(`/proc/${pid}/net/${name}`, 'utf8').catch(() => '')
  const addresses = [...localIPv4(await text('fib_trie')), ...localIPv6(await text('if_inet6'))]
  return { cookie: networkCookie(libc, `/proc/${pid}/ns/net`), addresses }
}

/** Undefined where the process ended while it was looked at. */
const unlessEnded = async <T>(look: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await look()
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(errorCode(error) ?? '')) return undefined
    throw error
  }
}
