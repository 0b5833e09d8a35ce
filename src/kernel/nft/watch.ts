import { errorCode, errorMessage } from '../../base/index.ts'
import { type Libc, NETLINK_NETFILTER, openNetlink } from '../../host/native/index.ts'
import { type NetlinkMessage, parseAttributes, parseMessages, readText, readU32BE } from '../netlink/index.ts'
import type { Table } from './objects.ts'
import { CHAIN, FAMILY, GENERATION, MESSAGE, messageType, RULE, SUBSYSTEM } from './wire.ts'

export interface WatchOptions {
  readonly libc: Libc
  readonly namespace: string | undefined
  readonly tables: readonly Table[]
  /** Whether this process asked for a change. */
  readonly isOwn: (portId: number) => boolean
}

/** A watch that can look away: the kernel spends about as much on telling of an element as on adding it. */
export interface Watch {
  /** Until `look`, nothing is noticed. */
  lookAway(): void
  look(): void
  /** Says that something was missed. */
  suspect(): void
}

/** `NFNLGRP_NFTABLES`. */
const GROUP = 7
/** A waiting read would hold one of the few threads of the pool for ever; looking costs a microsecond. */
const LOOK_EVERY_MS = 100
/** Somebody's load of a large table must not hold this process up. */
const DATAGRAMS_AT_A_LOOK = 64

/** Listens to nf_tables' notifications and calls `changed` with who it was, once for all that is there at a look. Ends with `signal`. */
export const watchTables = (options: WatchOptions, changed: (who: string) => void, signal: AbortSignal): Watch =>
  listen(options, createReader(options), { changed, signal })

export interface ChainWatchOptions extends Pick<WatchOptions, 'libc'> {
  /** Path of another network namespace than this process'. */
  readonly namespace?: string
  /** In whatever table. */
  readonly chain: string
}

/** Calls `emptied` soon after anybody took a rule out of a chain of this name, or the chain away; it may also have missed what happened. Ends with `signal`. */
export const watchChain = (options: ChainWatchOptions, emptied: () => void, signal: AbortSignal): void => {
  const { libc, namespace, chain } = options
  const read = ({ type, payload }: NetlinkMessage): string | undefined =>
    chainThatLost(type, payload) === chain ? chain : undefined
  listen({ libc, namespace }, { read }, { changed: emptied, signal })
}

/** The chain of a message that tells of a rule or of a chain that is gone. */
const chainThatLost = (type: number, payload: Buffer): string | undefined => {
  const attribute =
    type === messageType(MESSAGE.deleteRule) ? RULE.chain : type === messageType(MESSAGE.deleteChain) ? CHAIN.name : 0
  const name = attribute === 0 ? undefined : parseAttributes(payload, 4).get(attribute)
  return name === undefined ? undefined : readText(name)
}

interface Reader {
  /** Who or what a message tells of, where it matters. */
  read(message: NetlinkMessage): string | undefined
}

interface Listener {
  readonly changed: (who: string) => void
  readonly signal: AbortSignal
}

const listen = (
  { libc, namespace }: Pick<WatchOptions, 'libc' | 'namespace'>,
  reader: Reader,
  { changed, signal }: Listener,
): Watch => {
  const socket = openNetlink(libc, NETLINK_NETFILTER, {
    groups: 1 << (GROUP - 1),
    ...(namespace === undefined ? {} : { namespace }),
  })
  const look = (): void => {
    const who = new Set<string>()
    try {
      for (let count = 0; count < DATAGRAMS_AT_A_LOOK; count++) {
        const datagram = socket.receiveNow()
        if (datagram === undefined) break
        for (const message of parseMessages(datagram)) {
          const name = reader.read(message)
          if (name !== undefined) who.add(name)
        }
      }
    } catch (error) {
      who.add(`somebody, among notifications that could not be read (${errorCode(error) ?? errorMessage(error)})`)
      // Too many is no reason to listen no longer.
      if (errorCode(error) !== 'ENOBUFS') clearInterval(timer)
    }
    if (who.size > 0) changed([...who].join(', '))
  }
  const timer = setInterval(look, LOOK_EVERY_MS)
  timer.unref()
  const stop = (): void => {
    clearInterval(timer)
    socket.close()
  }
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  const whileOpen = (act: () => void) => (): void => {
    if (!signal.aborted) act()
  }
  return {
    lookAway: whileOpen(() => socket.leave(GROUP)),
    look: whileOpen(() => socket.join(GROUP)),
    suspect: whileOpen(() => changed('somebody, during a large change of this process')),
  }
}

/** Tells whose transaction touched one of the tables, at its end. */
const createReader = ({ tables, isOwn }: WatchOptions): Reader => {
  const watched = new Set(tables.map(({ family, name }) => `${FAMILY[family]} ${name}`))
  let isTouched = false
  return {
    read({ type, portId, payload }: NetlinkMessage): string | undefined {
      if (type >> 8 !== SUBSYSTEM) return undefined
      if (type !== messageType(MESSAGE.newGeneration)) {
        isTouched ||= !isOwn(portId) && watched.has(tableOf(payload))
        return undefined
      }
      if (!isTouched) return undefined
      isTouched = false
      const fields = parseAttributes(payload, 4)
      const name = fields.get(GENERATION.processName)
      const id = fields.get(GENERATION.process)
      return name === undefined || id === undefined ? 'somebody' : `${readText(name)} (process ${readU32BE(id)})`
    },
  }
}

/** Family and table: it is the first attribute of all messages about what a table holds. */
const tableOf = (payload: Buffer): string => {
  const length = payload.length < 8 ? 0 : payload.readUInt16LE(4)
  if (length < 4 || payload.readUInt16LE(6) !== 1) return ''
  return `${payload[0]} ${readText(payload.subarray(8, 4 + length))}`
}
