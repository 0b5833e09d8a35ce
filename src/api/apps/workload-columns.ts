import { columnsOf } from '../columns.ts'
import type { PodTemplateSpec } from '../core/pod/pod-spec.ts'
import type { Column, KubeObject } from '../kind.ts'
import type { LabelSelector } from '../meta/label-selector.ts'
import { formatLabelSelector } from '../meta/selector.ts'

interface Workload extends KubeObject {
  readonly spec: { readonly selector: LabelSelector; readonly template?: PodTemplateSpec }
}

const column = columnsOf<Workload>()

/** What `-o wide` adds for workloads. */
export const WORKLOAD_COLUMNS: readonly Column<Workload>[] = [
  column('Containers', 'Names of the containers in its pods.', {
    wide: true,
    cell: ({ spec }) => (spec.template?.spec.containers ?? []).map(({ name }) => name).join(','),
  }),
  column('Images', 'Images of the containers in its pods.', {
    wide: true,
    cell: ({ spec }) => (spec.template?.spec.containers ?? []).map(({ image }) => image ?? '').join(','),
  }),
  column('Selector', 'Labels of its pods.', {
    wide: true,
    cell: ({ spec }) => formatLabelSelector(spec.selector) || '<none>',
  }),
]
