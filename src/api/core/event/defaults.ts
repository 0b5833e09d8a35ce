import type { Event } from './schema.ts'

/** An Event may be about nothing that has a name. */
export const setEventDefaults = (event: Event): Event => ({
  ...event,
  metadata: event.metadata ?? {},
  involvedObject: event.involvedObject ?? {},
})
