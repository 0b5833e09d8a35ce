import {
  type Command,
  type Direction,
  entryMatches,
  type IPSet,
  type Ipset,
  kindsOf,
  netOf,
  type ReadSet,
  renderCommand,
  type SetPacket,
} from '../index.ts'

export interface FakeIpset extends Ipset {
  /** As `-m set --match-set SET dst,dst,src`: one direction for each part of a member. Fails when there is no such set. */
  matches(set: string, directions: readonly Direction[], packet: SetPacket): boolean
  has(set: string): boolean
  /** Keeps it from being destroyed, as rules do. */
  readonly used: Set<string>
  /** Commands that changed something. */
  readonly committed: readonly string[]
  /** The next commits fail before anything is changed, instead of failures that were told before and not met. */
  failNext(...errors: readonly Error[]): void
  /** As `ipset flush` and `ipset destroy` of another program, whatever uses the sets. */
  destroyAll(): void
}

/** Sets without a kernel: strict as the tool about what exists and what fits, and they answer for packets. */
export const fakeIpset = (): FakeIpset => {
  const sets = new Map<string, FakeSet>()
  const used = new Set<string>()
  const committed: string[] = []
  const failures: Error[] = []
  return {
    has: (name) => sets.has(name),
    used,
    committed,
    probe: async () => undefined,
    async commit(commands) {
      const failure = failures.shift()
      if (failure !== undefined) throw failure
      for (const command of commands) {
        const text = renderCommand(command)
        if (run({ sets, used }, command)) committed.push(text)
      }
    },
    async read(owns) {
      return [...sets].filter(([name]) => owns(name)).map(([name, set]) => readSet(name, set))
    },
    matches(name, directions, packet) {
      const set = sets.get(name)
      if (set === undefined) throw new Error(`fake ipset: no set ${name}`)
      const { spec, entries } = set
      if (spec.type !== 'bitmap:port' && directions.length < kindsOf(spec.type).length) {
        throw new Error(`fake ipset: ${spec.type} needs a direction for each part`)
      }
      if (spec.type !== 'hash:net' && spec.type !== 'hash:ip,port,net')
        return entries.has(wholeEntry(spec.type, directions, packet))
      return [...entries].some((entry) => entryMatches(spec.type, entry, { directions, packet }))
    },
    failNext: (...errors) => void failures.splice(0, failures.length, ...errors),
    destroyAll: () => sets.clear(),
  }
}

interface FakeSet {
  readonly spec: Omit<IPSet, 'name'>
  readonly entries: Set<string>
}

interface World {
  readonly sets: Map<string, FakeSet>
  readonly used: ReadonlySet<string>
}

/** True when something changed. */
const run = ({ sets, used }: World, command: Command): boolean => {
  const found = (name: string): FakeSet => {
    const set = sets.get(name)
    if (set === undefined) throw new Error(`ipset: The set with the given name does not exist (${name})`)
    return set
  }
  switch (command.kind) {
    case 'create': {
      const { name, ...spec } = command.set
      if (sets.has(name)) throw new Error(`ipset: Set cannot be created: set with the same name already exists (${name})`)
      sets.set(name, { spec: { ...spec, maxElements: spec.maxElements ?? 65_536 }, entries: new Set() })
      return true
    }
    case 'destroy':
      found(command.set)
      if (used.has(command.set))
        throw new Error(`ipset: Set cannot be destroyed: it is in use by a kernel component (${command.set})`)
      return sets.delete(command.set)
    case 'flush': {
      const { entries } = found(command.set)
      const { size } = entries
      entries.clear()
      return size > 0
    }
    case 'swap': {
      const [one, other] = [found(command.set), found(command.with)]
      if (one.spec.type !== other.spec.type || one.spec.family !== other.spec.family) {
        throw new Error('ipset: The sets cannot be swapped: their type does not match')
      }
      sets.set(command.set, other).set(command.with, one)
      return true
    }
    case 'add': {
      const { spec, entries } = found(command.member.set)
      check(spec, command.member.entry)
      if (entries.has(command.member.entry)) return false
      if (spec.type !== 'bitmap:port' && entries.size >= (spec.maxElements ?? 0)) throw new Error('ipset: Hash is full')
      entries.add(command.member.entry)
      return true
    }
    case 'delete': {
      const { spec, entries } = found(command.member.set)
      check(spec, command.member.entry)
      return entries.delete(command.member.entry)
    }
    default:
      return command satisfies never
  }
}

const readSet = (name: string, { spec, entries }: FakeSet): ReadSet => ({
  name,
  type: spec.type,
  family: spec.type === 'bitmap:port' ? undefined : (spec.family ?? 'inet'),
  maxElements: spec.type === 'bitmap:port' ? undefined : spec.maxElements,
  entries: [...entries],
})

const PORT = /^(tcp|udp|sctp):(\d+)$/

/** Refuses members that the set's type does not have, and those that the kernel would write in another way. */
const check = ({ type, family = 'inet' }: FakeSet['spec'], entry: string): void => {
  if (type === 'bitmap:port') {
    if (!/^\d{1,5}$/.test(entry) || Number(entry) > 65_535) throw new Error(`ipset: Syntax error: ${entry} is no port`)
    return
  }
  const kinds = kindsOf(type)
  const parts = entry.split(',')
  const isRight = (part: string, kind: string | undefined): boolean => {
    if (kind === 'port') return PORT.test(part)
    const cidr = netOf(part)
    if (cidr === undefined || (cidr.family === 'IPv6') !== (family === 'inet6')) return false
    const isWhole = cidr.prefix === (cidr.family === 'IPv6' ? 128 : 32)
    if (part.includes('/') === isWhole) return false
    return isWhole || (kind === 'net' && cidr.prefix > 0)
  }
  if (parts.length !== kinds.length || !parts.every((part, index) => isRight(part, kinds[index]))) {
    throw new Error(`ipset: Syntax error: ${entry} is no member of a set of type ${type}, family ${family}`)
  }
}

/** The only member that means a packet, in sets whose members are no ranges. */
const wholeEntry = (
  type: IPSet['type'],
  directions: readonly Direction[],
  { source, destination, protocol }: SetPacket,
): string => {
  if (type === 'bitmap:port') return String(destination.port)
  const parts = kindsOf(type).map((kind, index) => {
    if (kind === 'port') return `${protocol}:${destination.port}`
    return directions[index] === 'src' ? source : destination.address
  })
  return parts.join(',')
}
