import type { Node, Pod } from '../../api/index.ts'
import type { Lister } from '../../informers/index.ts'
import { isActive } from '../pods.ts'

export interface NodeView {
  readonly node: Node
  /** Pods that run there or are on their way. */
  readonly pods: readonly Pod[]
}

/** The nodes with what is on them; `assumed` are pods that were just bound and that the cache does not show yet. */
export const readNodes = (
  { nodes, pods }: { readonly nodes: Lister<Node>; readonly pods: Lister<Pod> },
  assumed: readonly { readonly pod: Pod; readonly node: string }[],
): readonly NodeView[] =>
  nodes.list().map((node) => {
    const known = pods.byIndex('node', node.metadata.name).filter(isActive)
    const coming = assumed.filter(
      (assumption) =>
        assumption.node === node.metadata.name && !known.some(({ metadata }) => metadata.uid === assumption.pod.metadata.uid),
    )
    return { node, pods: [...known, ...coming.map(({ pod }) => pod)] }
  })
