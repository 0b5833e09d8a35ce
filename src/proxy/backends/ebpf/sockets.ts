import { setImmediate } from 'node:timers/promises'
import { cidrContains, readAddress, readCIDR } from '../../../ip/index.ts'
import type { Bpf, NetworkNamespace } from '../../../kernel/bpf/index.ts'
import type { Forwarding, NodeView, Packet, Target } from '../../../model/index.ts'
import type { Change, Drift, FrontendStatus } from '../../backend.ts'
import { createLiveMaps, type LiveMaps, type LiveOptions } from './apply.ts'
import { driftOf } from './audit.ts'
import { type Books, createBooks } from './books.ts'
import { difference, type Tables } from './diff.ts'
import { frontendKey, isUdpFrontend, readEndpoint, readFrontendValue, readSlotKey } from './layout.ts'
import { type RenderedPort, renderForwarding } from './render.ts'
import { traceLines } from './trace.ts'

/** A UDP endpoint that no Service port of this node has any longer. */
export interface RemovedEndpoint extends Target {
  readonly protocol: 'UDP'
  /** Whether a Service led the socket of this cookie (`bpf_get_socket_cookie`, `idiag_cookie`) there; others asked for the endpoint themselves. */
  isServed(cookie: bigint): boolean
}

export type FreeSockets = (endpoint: RemovedEndpoint) => Promise<unknown>

export interface SocketsOptions extends LiveOptions {
  readonly freeSockets: FreeSockets
}

/** The part of the mode that is in the programs' maps. */
export interface Sockets {
  sync(change: Change): Promise<void>
  /** Looks again which network namespaces are pods'; until one is found its sockets are left to the inner backend. */
  findPods(): Promise<void>
  /** Frees sockets of UDP endpoints that went with the last changes; those that could not be freed are tried again at the next call. */
  free(): Promise<void>
  /** Frontends that found no room, and since the last call those that have it now or are gone. */
  transitions(): readonly FrontendStatus[]
  leftOut(): readonly FrontendStatus[]
  audit(signal?: AbortSignal): Promise<readonly Drift[]>
  /** Undefined where the programs leave the packet to the inner backend. */
  trace(packet: Packet): readonly string[] | undefined
  close(): void
}

export const createSockets = (options: SocketsOptions): Sockets => {
  const books = createBooks(options.limits)
  const live = createLiveMaps(options)
  const carried = new Map<string, Forwarding>()
  const toFree = new Map<string, Target>()
  const told = new Map<string, FrontendStatus>()
  let node: NodeView | undefined
  /** Whether the books say what the kernel has; not before the first sync, nor after one that failed. */
  let isSure = false

  const rendered = (change: Change): ReadonlyMap<string, readonly RenderedPort[]> => {
    const touched = touchedBy(change, { carried, isNodeNew: JSON.stringify(node) !== JSON.stringify(change.node) })
    node = change.node
    return new Map([...touched].map((key) => [key, renderAt(carried, key, change.node)]))
  }
  return {
    async sync(change) {
      await live.open()
      const world = isSure && !change.full ? undefined : live.read()
      isSure = false
      if (world !== undefined) books.adopt(world)
      const { before, after, udpBefore } = books.change(rendered(change))
      for (const target of [...udpBefore, ...(world === undefined ? [] : udpOf(world))]) {
        if (!books.hasUdpEndpoint(target)) toFree.set(`${target.address} ${target.port}`, target)
      }
      live.apply(world === undefined ? difference(before, after) : difference(world, books.all()))
      if (world !== undefined) {
        // Pods that are not found are served all the same, by the inner backend; the next audit tells why.
        await findPods(options.bpf, live, change.node).catch(() => {})
        await live.attach()
      }
      books.settle()
      isSure = true
    },
    async findPods() {
      if (node === undefined) return
      await findPods(options.bpf, live, node)
    },
    free: () =>
      free(toFree, async (target) => {
        if (books.hasUdpEndpoint(target)) return
        const isServed = (cookie: bigint): boolean => live.isConnected(cookie, target)
        await options.freeSockets({ ...target, protocol: 'UDP', isServed })
      }),
    transitions() {
      const now = new Map(leftOut(books).map((status) => [statusKey(status), status]))
      const ended = [...told].filter(([key]) => !now.has(key)).map(([, status]) => endOf(status, books))
      const begun = [...now].filter(([key]) => !told.has(key)).map(([, status]) => status)
      told.clear()
      for (const [key, status] of now) told.set(key, status)
      return [...ended, ...begun]
    },
    leftOut: () => leftOut(books),
    async audit(signal) {
      await live.open()
      const world = await readApart(live, signal)
      const wanted = books.all()
      const drift = driftOf(world, wanted, books)
      live.apply(difference(world, wanted))
      if (node !== undefined) await findPods(options.bpf, live, node)
      const mended = await live.attach()
      return [...drift, ...mended.map((what): Drift => ({ kind: 'missing', what }))]
    },
    trace: (packet) => traceLines(packet, { books, name: options.name }),
    close: () => live.close(),
  }
}

/** A map at a time: each is read in one go, and others have a turn in between. */
const readApart = async (live: LiveMaps, signal?: AbortSignal): Promise<Tables> => {
  const turn = async (): Promise<void> => {
    await setImmediate()
    signal?.throwIfAborted()
  }
  await turn()
  const frontends = live.readMap('frontends')
  await turn()
  const slots = live.readMap('slots')
  await turn()
  const members = live.readMap('members')
  await turn()
  return { frontends, slots, members }
}

/** A namespace with an address in a range of this node's pods is a pod's. */
const findPods = async (bpf: Bpf, live: LiveMaps, { podCIDRs }: NodeView): Promise<void> => {
  const ranges = podCIDRs.flatMap((text) => readCIDR(text)?.cidr ?? [])
  const isPod = ({ addresses }: NetworkNamespace): boolean =>
    addresses.some((text) => {
      const address = readAddress(text)?.address
      return address !== undefined && ranges.some((range) => cidrContains(range, address))
    })
  const namespaces = ranges.length === 0 ? [] : await bpf.linkedNamespaces()
  live.setPods(namespaces.filter(isPod).map(({ cookie }) => cookie))
}

/** The Forwardings to be rendered again; `carried` is brought up to date. */
const touchedBy = (
  { full, set, delete: gone }: Change,
  { carried, isNodeNew }: { readonly carried: Map<string, Forwarding>; readonly isNodeNew: boolean },
): ReadonlySet<string> => {
  const touched = new Set<string>()
  const wanted = new Set(set.map(({ key }) => key))
  for (const key of full ? [...carried.keys()].filter((each) => !wanted.has(each)) : gone) {
    if (carried.delete(key)) touched.add(key)
  }
  if (isNodeNew) for (const key of carried.keys()) touched.add(key)
  for (const forwarding of set) {
    carried.set(forwarding.key, forwarding)
    touched.add(forwarding.key)
  }
  return touched
}

const renderAt = (carried: ReadonlyMap<string, Forwarding>, key: string, node: NodeView): readonly RenderedPort[] => {
  const forwarding = carried.get(key)
  return forwarding === undefined ? [] : renderForwarding(forwarding, node)
}

/** Of a former process: the UDP endpoints that its maps hold. */
const udpOf = ({ frontends, slots }: Tables): readonly Target[] => {
  const udp = [...frontends].filter(([key]) => isUdpFrontend(key)).map(([, value]) => readFrontendValue(value))
  const ids = new Set(udp.map(({ id }) => id))
  const inSlots = [...slots].filter(([key]) => ids.has(readSlotKey(key).id)).map(([, endpoint]) => endpoint)
  return [...inSlots, ...udp.flatMap(({ inline }) => inline)].map(readEndpoint)
}

const free = async (toFree: Map<string, Target>, freeOne: (target: Target) => Promise<void>): Promise<void> => {
  const failures: unknown[] = []
  for (const [text, target] of toFree) {
    try {
      await freeOne(target)
      toFree.delete(text)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

const leftOut = (books: Books): readonly FrontendStatus[] =>
  [...books.leftOut.values()].flatMap(({ frontends }) =>
    frontends.map(
      ({ ref }): FrontendStatus => ({
        ...ref,
        state: 'failed',
        code: 'E2BIG',
        message: `the maps of the ebpf mode are full: ${ref.protocol} ${ref.address} port ${ref.port} is left to the rules of the mode beneath it, which do not serve localhost; use mode nftables, or fewer Services`,
      }),
    ),
  )

const statusKey = ({ key, protocol, address, port }: FrontendStatus): string => `${key} ${protocol} ${address} ${port}`

const endOf = (status: FrontendStatus, books: Books): FrontendStatus => {
  const { key, namespace, name, kind, protocol, address, port } = status
  const isServing = books.at(frontendKey({ address, port, protocol }))?.port.rendered.forwarding === key
  return { key, namespace, name, kind, protocol, address, port, state: isServing ? 'serving' : 'gone' }
}
