import { forbidden, type Namespace, namespaceKind } from '../../../api/index.ts'
import type { Strategy } from '../strategy.ts'

const NAME_LABEL = 'kubernetes.io/metadata.name'
const FINALIZER = 'kubernetes'

/** Namespaces that are there from the start. */
export const SYSTEM_NAMESPACES: readonly string[] = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/** Those that may not be deleted (Kubernetes' NamespaceLifecycle admission). */
const IMMORTAL = new Set(['default', 'kube-system', 'kube-public'])

export const namespaceStrategy: Strategy<Namespace> = {
  kind: namespaceKind,
  prepareForCreate: (object) => ({
    ...labelled(object),
    spec: { ...object.spec, finalizers: [...new Set([...(object.spec?.finalizers ?? []), FINALIZER])] },
    status: { phase: 'Active' },
  }),
  // The spec holds finalizers only, which have a subresource of their own.
  prepareForUpdate: (object, old) => ({ ...labelled(object), spec: old.spec }),
  prepareForDelete: (object) => ({ ...object, status: { ...object.status, phase: 'Terminating' } }),
  checkDelete({ metadata: { name } }) {
    if (!IMMORTAL.has(name)) return
    throw forbidden({ group: '', plural: 'namespaces', kind: 'Namespace', name }, 'this namespace may not be deleted')
  },
}

/** A label by which selectors find a namespace by name. */
const labelled = (object: Namespace): Namespace => ({
  ...object,
  metadata: { ...object.metadata, labels: { ...object.metadata.labels, [NAME_LABEL]: object.metadata.name } },
})
