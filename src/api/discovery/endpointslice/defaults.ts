import type { EndpointSlice } from './schema.ts'

export const setEndpointSliceDefaults = (slice: EndpointSlice): EndpointSlice => ({
  ...slice,
  metadata: slice.metadata ?? {},
  // Present even when empty, as clients that read them expect.
  endpoints: slice.endpoints ?? [],
  ...(slice.ports === undefined
    ? {}
    : { ports: slice.ports.map((port) => ({ ...port, name: port.name ?? '', protocol: port.protocol || 'TCP' })) }),
})
