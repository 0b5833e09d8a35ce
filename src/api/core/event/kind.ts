import type { Kind } from '../../kind.ts'
import { eventColumns } from './columns.ts'
import { setEventDefaults } from './defaults.ts'
import { type Event, eventSchema } from './schema.ts'
import { validateEvent } from './validation.ts'

export const eventKind: Kind<Event> = {
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  categories: [],
  namespaced: true,
  nameRule: 'pathSegment',
  schema: eventSchema,
  columns: eventColumns,
  subresources: new Set([]),
  selectableFields: [
    { path: 'involvedObject.kind', read: ({ involvedObject }) => involvedObject.kind ?? '' },
    { path: 'involvedObject.namespace', read: ({ involvedObject }) => involvedObject.namespace ?? '' },
    { path: 'involvedObject.name', read: ({ involvedObject }) => involvedObject.name ?? '' },
    { path: 'involvedObject.uid', read: ({ involvedObject }) => involvedObject.uid ?? '' },
    { path: 'involvedObject.apiVersion', read: ({ involvedObject }) => involvedObject.apiVersion ?? '' },
    { path: 'involvedObject.resourceVersion', read: ({ involvedObject }) => involvedObject.resourceVersion ?? '' },
    { path: 'involvedObject.fieldPath', read: ({ involvedObject }) => involvedObject.fieldPath ?? '' },
    { path: 'reason', read: ({ reason }) => reason ?? '' },
    { path: 'reportingComponent', read: ({ reportingComponent }) => reportingComponent ?? '' },
    { path: 'source', read: ({ source, reportingComponent }) => source?.component || reportingComponent || '' },
    { path: 'type', read: ({ type }) => type ?? '' },
  ],
  setDefaults: setEventDefaults,
  validate: validateEvent,
}
