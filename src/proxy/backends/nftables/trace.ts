import type { Packet } from '../../../model/index.ts'
import type { FamilyTable } from './family-table.ts'

/** @todo */
export const traceLines = (_tables: readonly FamilyTable[], _packet: Packet): readonly string[] => []
