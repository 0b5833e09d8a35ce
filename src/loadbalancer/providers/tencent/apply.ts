import type { CloudApi } from './client/index.ts'
import type { Operation } from './operation.ts'

export interface Applied {
  /** Of what was made, in its order. */
  readonly ids: readonly string[]
  /** Listeners of a batch that did not get theirs, with the reason. */
  readonly failures: ReadonlyMap<string, string>
}

const DONE: Applied = { ids: [], failures: new Map() }

/** Does one operation, and waits until the cloud has done it. Rejects with `CloudError`. */
export const apply = async (api: CloudApi, id: string, operation: Operation, signal: AbortSignal): Promise<Applied> => {
  switch (operation.kind) {
    case 'set-security-groups':
      await api.setSecurityGroups(id, operation.groups, signal)
      return DONE
    case 'modify-load-balancer':
      await api.modifyLoadBalancer(id, operation.changes, signal)
      return DONE
    case 'create-listeners':
      return made(await api.createListeners(id, operation.listeners.map(withCertificates), signal))
    case 'modify-listener':
      await api.modifyListener(id, operation.listenerId, operation.changes, signal)
      return DONE
    case 'delete-listeners':
      await api.deleteListeners(id, operation.ids, signal)
      return DONE
    case 'create-rules':
      return made(await api.createRules(id, operation.listenerId, operation.rules, signal))
    case 'modify-rule':
      await api.modifyRule(id, operation, operation.settings, signal)
      return DONE
    case 'modify-domain':
      await api.modifyDomain(id, operation, operation.certificates, signal)
      return DONE
    case 'delete-rules':
      await api.deleteRules(id, operation.listenerId, operation.ids, signal)
      return DONE
    case 'register':
      return { ids: [], failures: await api.registerTargets(id, operation.targets, signal) }
    case 'weigh':
      await api.modifyWeights(id, operation.targets, signal)
      return DONE
    case 'deregister':
      return { ids: [], failures: await api.deregisterTargets(id, operation.targets, signal) }
    default:
      return operation satisfies never
  }
}

const made = (ids: readonly string[]): Applied => ({ ids, failures: new Map() })

type Planned = Extract<Operation, { readonly kind: 'create-listeners' }>['listeners'][number]

/** The diff makes no listener whose certificates are not known. */
const withCertificates = (planned: Planned) => ({ ...planned, certificates: planned.certificates ?? [] })
