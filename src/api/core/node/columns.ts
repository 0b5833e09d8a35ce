import { AGE_COLUMN, columnsOf, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { Node, NodeSystemInfo } from './schema.ts'

const column = columnsOf<Node>()
const ROLE_PREFIX = 'node-role.kubernetes.io/'

const addressColumn = (name: string, type: string): Column<Node> =>
  column(name, `Its first address of type ${type}.`, {
    wide: true,
    cell: ({ status }) => (status?.addresses ?? []).find((address) => address.type === type)?.address ?? '<none>',
  })

const infoColumn = (name: string, description: string, field: keyof NodeSystemInfo): Column<Node> =>
  column(name, description, { wide: true, cell: ({ status }) => String(status?.nodeInfo?.[field] || '<unknown>') })

export const nodeColumns: readonly Column<Node>[] = [
  NAME_COLUMN,
  column('Status', 'Whether it takes pods.', { cell: statusCell }),
  column('Roles', 'What its labels say it is for.', { cell: rolesCell }),
  AGE_COLUMN,
  column('Version', 'Version of its agent.', { cell: ({ status }) => status?.nodeInfo?.kubeletVersion ?? '' }),
  addressColumn('Internal-IP', 'InternalIP'),
  addressColumn('External-IP', 'ExternalIP'),
  infoColumn('OS-Image', 'Its operating system.', 'osImage'),
  infoColumn('Kernel-Version', 'Its kernel.', 'kernelVersion'),
  infoColumn('Container-Runtime', 'What runs its containers.', 'containerRuntimeVersion'),
]

function statusCell({ spec, status }: Node): string {
  const ready = (status?.conditions ?? []).find(({ type }) => type === 'Ready')
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady']
  if (spec.unschedulable === true) words.push('SchedulingDisabled')
  return words.join(',')
}

function rolesCell({ metadata }: Node): string {
  const roles = new Set<string>()
  for (const [label, value] of Object.entries(metadata.labels ?? {})) {
    if (label.startsWith(ROLE_PREFIX) && label.length > ROLE_PREFIX.length) roles.add(label.slice(ROLE_PREFIX.length))
    else if (label === 'kubernetes.io/role' && value !== '') roles.add(value)
  }
  return [...roles].sort().join(',') || '<none>'
}
