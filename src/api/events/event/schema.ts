import {
  always,
  type Infer,
  int32,
  microTime,
  object,
  optional,
  required,
  type Schema,
  string,
  time,
} from '../../../schema/index.ts'
import { eventSourceSchema } from '../../core/event/schema.ts'
import { objectReferenceSchema } from '../../core/reference.ts'
import { objectMetaSchema } from '../../meta/object-meta.ts'
import { typeMeta } from '../../meta/type-meta.ts'

const eventSeriesSchema = object('EventSeries', {
  count: required(1, int32(), 'How often it happened.'),
  lastObservedTime: required(2, microTime(), 'When it happened last.'),
})

const wireSchema = object(
  'Event',
  {
    ...typeMeta,
    metadata: always(1, objectMetaSchema),
    eventTime: required(2, microTime(), 'When it happened first.'),
    series: optional(3, eventSeriesSchema, 'Set when it happens again and again.'),
    reportingController: optional(4, string(), 'Who reported it, such as example.com/controller.'),
    reportingInstance: optional(5, string(), 'Which of them.'),
    action: optional(6, string(), 'What was being done.'),
    reason: optional(7, string(), 'Why it was done, in one word.'),
    regarding: optional(8, objectReferenceSchema, 'The object that it is about.'),
    related: optional(9, objectReferenceSchema, 'Another object that has to do with it.'),
    note: optional(10, string(), 'What happened, in a sentence.'),
    type: optional(11, string(), 'Normal or Warning.'),
    deprecatedSource: optional(12, eventSourceSchema),
    deprecatedFirstTimestamp: optional(13, time()),
    deprecatedLastTimestamp: optional(14, time()),
    deprecatedCount: optional(15, int32()),
  },
  { doc: 'A report of something that happened to an object.' },
)
type Wire = Infer<typeof wireSchema>

/** An Event as `events.k8s.io` spells it; one that came by the core group may lack its time and counts. */
export type EventsEvent = Omit<Wire, 'eventTime' | 'series'> & {
  readonly eventTime?: string
  readonly series?: Partial<NonNullable<Wire['series']>>
}

export const eventSchema: Schema<EventsEvent> = wireSchema
