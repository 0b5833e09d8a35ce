import { eventKind } from '../../core/event/kind.ts'
import type { Event } from '../../core/event/schema.ts'
import type { Kind, KubeObject } from '../../kind.ts'
import { eventFromHub, eventToHub } from './conversion.ts'
import { type EventsEvent, eventSchema } from './schema.ts'

/** Events as newer recorders write them; stored as those of the core group. */
export const eventsEventKind: Kind<EventsEvent> = {
  ...eventKind,
  group: 'events.k8s.io',
  schema: eventSchema,
  columns: eventKind.columns.map((column) => ({ ...column, cell: (event, nowMs) => column.cell(eventToHub(event), nowMs) })),
  selectableFields: [
    { path: 'regarding.kind', read: ({ regarding }) => regarding?.kind ?? '' },
    { path: 'regarding.namespace', read: ({ regarding }) => regarding?.namespace ?? '' },
    { path: 'regarding.name', read: ({ regarding }) => regarding?.name ?? '' },
    { path: 'regarding.uid', read: ({ regarding }) => regarding?.uid ?? '' },
    { path: 'reason', read: ({ reason }) => reason ?? '' },
    { path: 'reportingController', read: ({ reportingController }) => reportingController ?? '' },
    { path: 'type', read: ({ type }) => type ?? '' },
  ],
  setDefaults: (event) => ({ ...event, metadata: event.metadata ?? {} }),
  validate: (event, old) => eventKind.validate(eventToHub(event), old === undefined ? undefined : eventToHub(old)),
  conversion: {
    hub: eventKind,
    toHub: eventToHub,
    // The API server hands over objects of the hub only.
    fromHub: (hub: KubeObject) => eventFromHub(hub as Event),
  },
}
