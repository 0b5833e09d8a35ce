import type { Endpoints } from './schema.ts'

export const setEndpointsDefaults = (endpoints: Endpoints): Endpoints => ({
  ...endpoints,
  metadata: endpoints.metadata ?? {},
  ...(endpoints.subsets === undefined
    ? {}
    : {
        subsets: endpoints.subsets.map((subset) =>
          subset.ports === undefined
            ? subset
            : { ...subset, ports: subset.ports.map((port) => ({ ...port, protocol: port.protocol || 'TCP' })) },
        ),
      }),
})
