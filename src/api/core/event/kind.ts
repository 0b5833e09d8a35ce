import type { Kind } from '../../kind.ts'
import { type Event, eventSchema } from './schema.ts'

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
  columns: [],
  subresources: new Set([]),
  selectableFields: [],
  setDefaults: (object) => object,
  validate: () => [],
}
