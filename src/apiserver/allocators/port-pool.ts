import { Bitmap } from '../../ip/index.ts'
import { pickFree, portBands } from './bands.ts'

/** Both ends are node ports. */
export interface PortRange {
  readonly from: number
  readonly to: number
}

export const DEFAULT_NODE_PORT_RANGE: PortRange = { from: 30000, to: 32767 }

export type Protocol = 'TCP' | 'UDP' | 'SCTP'

/** Which node ports are free, by protocol: a memory of the allocation keys in the store, and a hint like the address pool. */
export interface PortPool {
  readonly range: PortRange
  contains(port: number): boolean
  /** A port that is free for all these protocols, reserved for them; undefined when there is none. */
  pick(protocols: readonly Protocol[]): number | undefined
  isFree(protocol: Protocol, port: number): boolean
  reserve(protocol: Protocol, port: number): void
  unreserve(protocol: Protocol, port: number): void
}

export interface PortPoolFeed extends PortPool {
  clear(): void
  add(protocol: Protocol, port: number): void
  delete(protocol: Protocol, port: number): void
}

export const createPortPool = (range: PortRange, random: () => number = Math.random): PortPoolFeed => {
  const size = range.to - range.from + 1
  const bands = portBands(size)
  const stored = new Set<string>()
  const reserved = new Map<string, number>()
  const taken: Readonly<Record<Protocol, Bitmap>> = { TCP: new Bitmap(size), UDP: new Bitmap(size), SCTP: new Bitmap(size) }
  const contains = (port: number): boolean => Number.isInteger(port) && port >= range.from && port <= range.to
  const id = (protocol: Protocol, port: number): string => `${protocol}/${port}`
  const mark = (protocol: Protocol, port: number): void => {
    if (!contains(port)) return
    const name = id(protocol, port)
    if (stored.has(name) || reserved.has(name)) taken[protocol].add(port - range.from)
    else taken[protocol].delete(port - range.from)
  }
  const reserve = (protocol: Protocol, port: number): void => {
    const name = id(protocol, port)
    reserved.set(name, (reserved.get(name) ?? 0) + 1)
    mark(protocol, port)
  }
  const freeForAll = (protocols: readonly Protocol[]) => ({
    findFree(from: number, low: number, high: number): number | undefined {
      const [first, ...others] = protocols
      if (first === undefined) return undefined
      const start = taken[first].findFree(from, low, high)
      for (let offset = start; offset !== undefined; ) {
        const candidate = offset
        if (others.every((protocol) => !taken[protocol].has(candidate))) return candidate
        const next: number | undefined = taken[first].findFree(candidate + 1, low, high)
        offset = next === start ? undefined : next
      }
      return undefined
    },
  })
  return {
    range,
    contains,
    pick(protocols) {
      const offset = pickFree(freeForAll(protocols), bands, random)
      if (offset === undefined) return undefined
      for (const protocol of protocols) reserve(protocol, range.from + offset)
      return range.from + offset
    },
    isFree: (protocol, port) => !stored.has(id(protocol, port)) && !reserved.has(id(protocol, port)),
    reserve,
    unreserve(protocol, port) {
      const name = id(protocol, port)
      const count = reserved.get(name) ?? 0
      if (count > 1) reserved.set(name, count - 1)
      else reserved.delete(name)
      mark(protocol, port)
    },
    clear() {
      for (const name of [...stored]) {
        stored.delete(name)
        const [protocol, port] = parseId(name)
        mark(protocol, port)
      }
    },
    add(protocol, port) {
      stored.add(id(protocol, port))
      mark(protocol, port)
    },
    delete(protocol, port) {
      stored.delete(id(protocol, port))
      mark(protocol, port)
    },
  }
}

const parseId = (name: string): readonly [Protocol, number] => {
  const [protocol, port] = name.split('/')
  // Only `id` makes these.
  return [protocol as Protocol, Number(port)]
}
