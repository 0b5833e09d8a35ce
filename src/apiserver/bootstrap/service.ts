import { isNotFound, type Service, sameValue, serviceKind } from '../../api/index.ts'
import type { Client } from '../../client/index.ts'

/** The Service by which pods reach the API server. */
export const KUBERNETES = { namespace: 'default', name: 'kubernetes' } as const

/** The port of the Service and its name, which the endpoints repeat. */
export const HTTPS_PORT_NAME = 'https'

const LABELS = { component: 'apiserver', provider: 'kubernetes' }

/** Makes the Service or heals what was changed of it; its address is given by its strategy. */
export const ensureService = async (client: Client, apiPort: number): Promise<Service> => {
  try {
    const found = await client.get(serviceKind, KUBERNETES)
    const healed = {
      ...found,
      metadata: { ...found.metadata, labels: { ...found.metadata.labels, ...LABELS } },
      spec: healedSpec(found, apiPort),
    }
    return sameValue(healed, found) ? found : await client.update(serviceKind, healed)
  } catch (error) {
    if (!isNotFound(error)) throw error
    return client.create(serviceKind, {
      metadata: { ...KUBERNETES, labels: LABELS },
      spec: { type: 'ClusterIP', ports: portsOf(apiPort) },
    })
  }
}

const healedSpec = ({ spec }: Service, apiPort: number): Service['spec'] => {
  const { selector: _, externalName: __, ...kept } = spec
  return { ...kept, type: 'ClusterIP', ports: portsOf(apiPort), sessionAffinity: 'None', sessionAffinityConfig: undefined }
}

const portsOf = (apiPort: number): NonNullable<Service['spec']['ports']> => [
  { name: HTTPS_PORT_NAME, protocol: 'TCP', port: 443, targetPort: apiPort },
]
