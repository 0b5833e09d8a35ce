import type { Namespace } from './schema.ts'

const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name'

/** Every namespace carries its own name as a label, so that selectors can name it. */
export const setNamespaceDefaults = (namespace: Namespace): Namespace => {
  const metadata = namespace.metadata ?? {}
  const labels = metadata.name ? { ...metadata.labels, [NAMESPACE_NAME_LABEL]: metadata.name } : metadata.labels
  return {
    ...namespace,
    metadata: labels === undefined ? metadata : { ...metadata, labels },
    spec: namespace.spec ?? {},
    status: { ...namespace.status, phase: namespace.status?.phase ?? 'Active' },
  }
}
