import type { Schema } from './schema.ts'
import { reader } from './structure-readers.ts'
import { type StructureError, Walk } from './structure-walk.ts'

export type { StructureError } from './structure-walk.ts'

export interface StructureResult<T> {
  /** In document order; at most 100. */
  readonly errors: readonly StructureError[]
  /** Paths of fields that the schema doesn't know, such as `spec.ports[0].foo`; empty with `ignore`; at most 100. */
  readonly unknownFields: readonly string[]
  /**
   * A fresh value as Go would decode and encode it: unknown fields and nulls dropped, optional zero values dropped, required ones and
   * embedded objects filled in, times in UTC. It is a `T` only if there is no error.
   */
  readonly pruned: T
}

export interface StructureOptions {
  readonly unknownFields: 'ignore' | 'report'
}

/**
 * Checks the shape of a value that came from outside, and returns what of it the schema knows. Says nothing of the meaning of values:
 * an unsupported `type` or a port of 70000 is for validation. Linear in the size of the value; never throws on JSON values.
 */
export const checkStructure = <T>(schema: Schema<T>, value: unknown, options: StructureOptions): StructureResult<T> => {
  const walk = new Walk(options.unknownFields === 'report')
  const pruned = reader(schema.node).read(value, walk)
  // The readers build exactly what the schema describes when they report nothing.
  return { errors: walk.errors, unknownFields: walk.unknownFields, pruned: pruned as T }
}
