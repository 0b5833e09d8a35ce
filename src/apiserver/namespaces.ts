import { isAlreadyExists } from '../api/index.ts'
import type { ApiPort } from '../client/index.ts'
import { SYSTEM_NAMESPACES } from './registry/namespace/strategy.ts'

/** Who the server is when it writes by itself. */
export const SERVER_USER = { name: 'system:apiserver', groups: ['system:masters'] } as const

/** Makes the namespaces that are there from the start. */
export const ensureNamespaces = async (port: ApiPort): Promise<void> => {
  for (const name of SYSTEM_NAMESPACES) {
    try {
      await port.execute({
        verb: 'create',
        group: '',
        version: 'v1',
        resource: 'namespaces',
        query: {},
        body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
        user: SERVER_USER,
        userAgent: 'apiserver',
      })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
}
