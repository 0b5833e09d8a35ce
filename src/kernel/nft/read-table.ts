import { HostError } from '../../host/index.ts'
import { FLAG, message, type NetlinkMessage, NetlinkWriter, parseAttributes, readText, readU32BE } from '../netlink/index.ts'
import type { Line } from './conversation.ts'
import { ElementReader } from './element-reader.ts'
import type { ElementSet } from './element-set.ts'
import { shapeOf } from './fields.ts'
import { type LiveChain, type NamedSet, type Table, type TableContents, tableText } from './objects.ts'
import { parseChain, parseRule, parseSet, parseTableFlags } from './parse.ts'
import { ELEMENTS, FAMILY, GENERATION, MESSAGE, messageType, TABLE } from './wire.ts'

/** How often a table is read again that changed while it was read. */
const ATTEMPTS = 20

/** Reads a whole table as it was at one moment; undefined when there is none. Fails with code `EAGAIN` when it never holds still. */
export const readTable = async (line: Line, table: Table): Promise<TableContents | undefined> => {
  const what = `read ${tableText(table)}`
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = await generation(line)
    const found = await line.get(request(line, table, { message: MESSAGE.getTable }), what)
    if (found === undefined) return undefined
    const rest = await readRest(line, table, what)
    if (rest !== undefined && (await generation(line)) === before) return { ...rest, ...parseTableFlags(found) }
  }
  throw new HostError(`nft: ${what}: the packet rules never hold still; stop what changes them all the time`, {
    code: 'EAGAIN',
    command: ['netlink', 'nft'],
  })
}

/** The named sets of a table; none when there is no such table. */
export const readSets = async (line: Line, table: Table): Promise<readonly NamedSet[]> => {
  const sets: NamedSet[] = []
  await line.dump(dumpOf(line, table, { message: MESSAGE.getSet }), `read the sets of ${tableText(table)}`, (each) => {
    const set = isOf(table, each) ? parseSet(each) : undefined
    if (set !== undefined) sets.push(set)
  })
  return sets
}

/** The number of changes that nf_tables has seen in this namespace. */
export const generation = async (line: Line): Promise<number> => {
  const what = 'read the generation'
  const head = { type: messageType(MESSAGE.getGeneration), flags: FLAG.request, sequence: line.sequences(1), family: 0 }
  const answer = await line.get(message(head), what)
  const id = answer === undefined ? undefined : parseAttributes(answer.payload, 4).get(GENERATION.id)
  if (id === undefined) throw new HostError(`nft: ${what}: no answer`, { code: 'ENOMSG', command: ['netlink', 'nft'] })
  return readU32BE(id)
}

/** Undefined when it changed meanwhile. */
const readRest = async (line: Line, table: Table, what: string): Promise<TableContents | undefined> => {
  const chains = new Map<string, Omit<LiveChain, 'rules'> & { readonly rules: string[] }>()
  const areWhole = [
    await line.dump(dumpOf(line, table, { message: MESSAGE.getChain }), what, (each) => {
      if (!isOf(table, each)) return
      const chain = parseChain(each)
      chains.set(chain.name, { ...chain, rules: [] })
    }),
    await line.dump(dumpOf(line, table, { message: MESSAGE.getRule }), what, (each) => {
      if (!isOf(table, each)) return
      const { chain, comment } = parseRule(each)
      chains.get(chain)?.rules.push(comment)
    }),
  ]
  const sets = await readSets(line, table)
  const elements = new Map<string, ElementSet>()
  for (const set of sets) {
    const shape = shapeOf(set)
    if (shape === undefined || set.flags?.includes('timeout') === true) continue
    const reader = new ElementReader(shape)
    areWhole.push(
      await line.dump(dumpOf(line, table, { message: MESSAGE.getElements, set: set.name }), what, (each) => reader.read(each)),
    )
    elements.set(set.name, reader.finish())
  }
  return areWhole.every((isWhole) => isWhole === true) ? { sets, chains: [...chains.values()], elements } : undefined
}

/** The table is the first attribute of every message; old kernels list the chains of all tables. */
const isOf = ({ name }: Table, { payload }: NetlinkMessage): boolean => {
  const table = parseAttributes(payload, 4).get(TABLE.name)
  return table !== undefined && readText(table) === name
}

interface Wanted {
  readonly message: number
  readonly flags?: number
  readonly set?: string
}

const request = (line: Line, table: Table, { message: type, flags = 0, set }: Wanted): Buffer => {
  const writer = new NetlinkWriter(128)
  const head = { type: messageType(type), flags: FLAG.request | flags, sequence: line.sequences(1), family: FAMILY[table.family] }
  const at = writer.begin(head)
  writer.text(TABLE.name, table.name)
  if (set !== undefined) writer.text(ELEMENTS.set, set)
  writer.end(at)
  return writer.written()
}

const dumpOf = (line: Line, table: Table, wanted: Wanted): Buffer => request(line, table, { ...wanted, flags: FLAG.dump })
