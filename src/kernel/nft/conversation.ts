import { HostError } from '../../host/index.ts'
import { type Libc, NETLINK_NETFILTER, type NetlinkSocket, openNetlink } from '../../host/native/index.ts'
import {
  type Acknowledgement,
  acknowledgementOf,
  FLAG,
  MESSAGE_TYPE,
  type NetlinkMessage,
  netlinkError,
  parseMessages,
} from '../netlink/index.ts'

/** One conversation with nf_tables of a network namespace: a request at a time, each with all its answers. */
export interface Conversation {
  /** Who this is, and was, in the kernel's notifications. */
  readonly portIds: ReadonlySet<number>
  /** Runs `act` when all before is done, and nothing beside it. Aborting `signal` ends it between two answers, with the signal's reason. */
  alone<T>(act: (line: Line) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** Gives the socket back; the next request opens another. */
  close(): Promise<void>
}

export interface Line {
  /** Numbers for so many messages of a request; the first of them. */
  sequences(count: number): number
  /** Sends a batch; gives what the kernel objects to. Nothing when it was done. */
  batch(bytes: Buffer): Promise<readonly Acknowledgement[]>
  /** Asks for one object; undefined when there is none. */
  get(request: Buffer, what: string): Promise<NetlinkMessage | undefined>
  /** Asks for many; false when they changed meanwhile, so that the answer is good for nothing. Undefined when what was asked for does not exist. */
  dump(request: Buffer, what: string, each: (message: NetlinkMessage) => void): Promise<boolean | undefined>
}

/** A request of this size is done by the kernel in less than a millisecond: not worth another thread. */
const SMALL = 32 * 1024

export const createConversation = (libc: Libc, namespace: string | undefined): Conversation => {
  const portIds = new Set<number>()
  let socket: NetlinkSocket | undefined
  let sequence = 0
  let last: Promise<unknown> = Promise.resolve()
  const sequences = (count: number): number => {
    if (sequence + count > LAST_SEQUENCE) sequence = 0
    sequence += count
    return sequence - count + 1
  }
  const alone = <T>(act: (line: Line) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const run = async (): Promise<T> => {
      socket ??= openNetlink(libc, NETLINK_NETFILTER, namespace === undefined ? {} : { namespace })
      portIds.add(socket.portId)
      const state = { isWaiting: false, signal }
      try {
        return await act(lineOf(socket, sequences, state))
      } finally {
        // Answers that nobody waits for any longer may still come.
        if (state.isWaiting) {
          socket.close()
          socket = undefined
        }
      }
    }
    const result = last.then(run)
    last = result.catch(() => {})
    return result
  }
  return {
    portIds,
    alone,
    async close() {
      await last
      socket?.close()
      socket = undefined
    },
  }
}

const LAST_SEQUENCE = 0x7fff_ffff

interface LineState {
  /** A request has not had all its answers. */
  isWaiting: boolean
  readonly signal: AbortSignal | undefined
}

const lineOf = (socket: NetlinkSocket, sequences: Line['sequences'], state: LineState): Line => ({
  sequences,
  async batch(bytes) {
    state.isWaiting = true
    if (bytes.length <= SMALL) socket.sendNow(bytes)
    else await socket.send(bytes)
    // The kernel has done its work when `send` returns: all that it has to say is there.
    const objections: Acknowledgement[] = []
    for (let datagram = socket.receiveNow(); datagram !== undefined; datagram = socket.receiveNow()) {
      for (const message of parseMessages(datagram)) {
        const answer = acknowledgementOf(message)
        if (answer !== undefined && answer.errno !== 0) objections.push(answer)
      }
    }
    state.isWaiting = false
    return objections
  },
  async get(request, what) {
    state.isWaiting = true
    socket.sendNow(request)
    const datagram = socket.receiveNow()
    const [message] = datagram === undefined ? [] : parseMessages(datagram)
    if (message === undefined) throw new HostError(`nft: ${what}: no answer`, { code: 'ENOMSG', command: ['netlink', 'nft'] })
    state.isWaiting = false
    const answer = acknowledgementOf(message)
    if (answer === undefined) return message
    if (answer.errno === ENOENT) return undefined
    throw netlinkError(`nft: ${what}`, answer)
  },
  async dump(request, what, each) {
    state.isWaiting = true
    socket.sendNow(request)
    let isWhole = true
    for (;;) {
      const datagram = await socket.receive()
      state.signal?.throwIfAborted()
      for (const message of parseMessages(datagram)) {
        if ((message.flags & FLAG.dumpInterrupted) !== 0) isWhole = false
        const answer = acknowledgementOf(message)
        if (answer === undefined && message.type !== MESSAGE_TYPE.done) {
          each(message)
          continue
        }
        state.isWaiting = false
        if (answer === undefined) return isWhole
        if (answer.errno === ENOENT) return undefined
        throw netlinkError(`nft: ${what}`, answer)
      }
    }
  },
})

const ENOENT = 2
