import { columnsOf, NAME_COLUMN } from '../../columns.ts'
import { ageOf } from '../../human-duration.ts'
import type { Column } from '../../kind.ts'
import type { Event } from './schema.ts'

const column = columnsOf<Event>()

export const eventColumns: readonly Column<Event>[] = [
  column('Last Seen', 'Time since it happened last.', { cell: (event, nowMs) => ageOf(lastSeen(event), nowMs) }),
  column('Type', 'Normal or Warning.', { cell: ({ type }) => type ?? '' }),
  column('Reason', 'What happened, in one word.', { cell: ({ reason }) => reason ?? '' }),
  column('Object', 'The object that it is about.', {
    cell: ({ involvedObject: { kind = '', name = '' } }) => `${kind.toLowerCase()}/${name}`,
  }),
  column('Subobject', 'The part of the object.', { wide: true, cell: ({ involvedObject }) => involvedObject.fieldPath ?? '' }),
  column('Source', 'Who reported it, and where.', { wide: true, cell: sourceCell }),
  column('Message', 'What happened, in a sentence.', { cell: ({ message }) => (message ?? '').trim() }),
  column('First Seen', 'Time since it happened first.', {
    wide: true,
    cell: (event, nowMs) => ageOf(event.firstTimestamp ?? event.eventTime, nowMs),
  }),
  column('Count', 'How often it happened.', {
    wide: true,
    type: 'integer',
    cell: (event) => event.series?.count ?? (event.count || 1),
  }),
  { ...NAME_COLUMN, priority: 1 },
]

const lastSeen = ({ series, lastTimestamp, eventTime, firstTimestamp }: Event): string | undefined =>
  series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp

function sourceCell({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || ''
  const host = source?.host || reportingInstance || ''
  return host === '' ? component : `${component}, ${host}`
}
