import type { Event } from '../../core/event/schema.ts'
import type { EventsEvent } from './schema.ts'

/** The Event under the names of the core group, where it is stored. */
export const eventToHub = (event: EventsEvent): Event => {
  const { reportingController, regarding, note, deprecatedSource, ...rest } = event
  const { deprecatedFirstTimestamp, deprecatedLastTimestamp, deprecatedCount, ...common } = rest
  return {
    ...common,
    apiVersion: 'v1',
    involvedObject: regarding ?? {},
    ...present({
      message: note,
      reportingComponent: reportingController,
      source: deprecatedSource,
      firstTimestamp: deprecatedFirstTimestamp,
      lastTimestamp: deprecatedLastTimestamp,
      count: deprecatedCount,
    }),
  }
}

/** A stored Event under the names of `events.k8s.io`. */
export const eventFromHub = (event: Event): EventsEvent => {
  const { reportingComponent, involvedObject, message, source, ...rest } = event
  const { firstTimestamp, lastTimestamp, count, ...common } = rest
  return {
    ...common,
    apiVersion: 'events.k8s.io/v1',
    regarding: involvedObject,
    ...present({
      note: message,
      reportingController: reportingComponent,
      deprecatedSource: source,
      deprecatedFirstTimestamp: firstTimestamp,
      deprecatedLastTimestamp: lastTimestamp,
      deprecatedCount: count,
    }),
  }
}

const present = <T extends object>(fields: T): Partial<T> =>
  // Only entries that are undefined are left out.
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
