import { HostError } from '../../host/index.ts'
import type { Line } from './conversation.ts'
import { type Shape, shapeOf } from './fields.ts'
import { type Table, type Transaction, tableText } from './objects.ts'
import { readSets } from './read-table.ts'

/** What the sets of each table look like on the wire, learnt from those who make them or else from the kernel. */
export interface Shapes {
  /** Learns what a transaction needs. */
  prepare(line: Line, transaction: Transaction): Promise<void>
  /** Fails for a set that does not exist. */
  of(table: Table, set: string): Shape
  /** Forgets a table. */
  forget(table: Table): void
  learn(table: Table, set: string, shape: Shape | undefined): void
}

export const createShapes = (): Shapes => {
  const tables = new Map<string, Map<string, Shape | undefined>>()
  const known = (table: Table): Map<string, Shape | undefined> => {
    const key = tableText(table)
    const shapes = tables.get(key) ?? new Map<string, Shape | undefined>()
    tables.set(key, shapes)
    return shapes
  }
  return {
    async prepare(line, { table, commands }) {
      for (const command of commands) {
        if (command.kind === 'delete table') tables.delete(tableText(table))
        if (command.kind === 'add set') known(table).set(command.set.name, shapeOf(command.set))
      }
      if (setsOf(commands).every((set) => known(table).has(set))) return
      for (const set of await readSets(line, table)) known(table).set(set.name, shapeOf(set))
    },
    of(table, set) {
      const shape = known(table).get(set)
      if (shape !== undefined) return shape
      const isThere = known(table).has(set)
      const words = isThere ? 'its type is unknown here' : 'No such file or directory'
      throw new HostError(`nft: set ${set} in ${tableText(table)}: ${words}`, {
        code: isThere ? 'EINVAL' : 'ENOENT',
        command: ['netlink', 'nft'],
      })
    },
    forget: (table) => void tables.delete(tableText(table)),
    learn: (table, set, shape) => void known(table).set(set, shape),
  }
}

const setsOf = (commands: Transaction['commands']): readonly string[] => {
  const sets = new Set<string>()
  for (const command of commands) {
    if (command.kind === 'add elements' || command.kind === 'delete elements')
      for (const { set } of command.elements) sets.add(set)
  }
  return [...sets]
}
