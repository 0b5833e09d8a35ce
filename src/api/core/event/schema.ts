import { always, type Infer, int32, microTime, object, optional, required, string, time } from '../../../schema/index.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'
import { objectReferenceSchema } from '../reference.ts'

export const eventSourceSchema = object('EventSource', {
  component: optional(1, string()),
  host: optional(2, string()),
})
export type EventSource = Infer<typeof eventSourceSchema>

const eventSeriesSchema = object('EventSeries', {
  count: optional(1, int32()),
  lastObservedTime: optional(2, microTime()),
})
export type EventSeries = Infer<typeof eventSeriesSchema>

export const eventSchema = object(
  'Event',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    involvedObject: required(2, objectReferenceSchema),
    reason: optional(3, string()),
    message: optional(4, string()),
    source: optional(5, eventSourceSchema),
    firstTimestamp: optional(6, time()),
    lastTimestamp: optional(7, time()),
    count: optional(8, int32()),
    type: optional(9, string()),
    eventTime: optional(10, microTime()),
    series: optional(11, eventSeriesSchema),
    action: optional(12, string()),
    related: optional(13, objectReferenceSchema),
    reportingComponent: optional(14, string()),
    reportingInstance: optional(15, string()),
  },
  { doc: 'A report of something that happened to an object.' },
)
export type Event = Infer<typeof eventSchema>
