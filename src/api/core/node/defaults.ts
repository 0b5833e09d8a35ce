import type { Node } from './schema.ts'

/** The singular field and the first of the plural say the same. */
export const setNodeDefaults = (node: Node): Node => {
  const { podCIDR = '', podCIDRs = [] } = node.spec ?? {}
  const first = podCIDRs[0] ?? ''
  return {
    ...node,
    metadata: node.metadata ?? {},
    spec: {
      ...node.spec,
      ...(podCIDR !== '' && first === '' ? { podCIDRs: [podCIDR] } : {}),
      ...(podCIDR === '' && first !== '' ? { podCIDR: first } : {}),
    },
  }
}
