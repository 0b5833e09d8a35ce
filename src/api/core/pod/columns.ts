import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import { ageOf } from '../../human-duration.ts'
import type { Column } from '../../kind.ts'
import { summarize } from './pod-summary.ts'
import type { Pod } from './schema.ts'

const column = columnsOf<Pod>()

export const podColumns: readonly Column<Pod>[] = [
  NAME_COLUMN,
  column('Ready', 'Containers that are ready, of all.', {
    cell: (pod) => {
      const { ready, total } = summarize(pod)
      return `${ready}/${total}`
    },
  }),
  column('Status', 'What the pod is doing, or why it is not.', { cell: (pod) => summarize(pod).reason }),
  column('Restarts', 'How often its containers were started again, and when last.', {
    cell: (pod, nowMs) => {
      const { restarts, lastRestart } = summarize(pod)
      return restarts === 0 || lastRestart === undefined ? `${restarts}` : `${restarts} (${ageOf(lastRestart, nowMs)} ago)`
    },
  }),
  AGE_COLUMN,
  column('IP', 'Its primary address.', {
    wide: true,
    cell: ({ status }) => status?.podIPs?.[0]?.ip || status?.podIP || '<none>',
  }),
  column('Node', 'Where it runs.', { wide: true, cell: ({ spec }) => spec.nodeName || '<none>' }),
  column('Nominated Node', 'Where room is being made for it.', {
    wide: true,
    cell: ({ status }) => status?.nominatedNodeName || '<none>',
  }),
  column('Readiness Gates', 'Conditions that must be true beside those of its containers.', {
    wide: true,
    cell: readinessGatesCell,
  }),
]

function readinessGatesCell({ spec, status }: Pod): string {
  const gates = spec.readinessGates ?? []
  if (gates.length === 0) return '<none>'
  const open = gates.filter(({ conditionType }) =>
    (status?.conditions ?? []).some(({ type, status }) => type === conditionType && status === 'True'),
  )
  return `${open.length}/${gates.length}`
}
