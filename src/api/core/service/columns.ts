import { AGE_COLUMN, columnsOf, labelsCell, NAME_COLUMN } from '../../columns.ts'
import type { Column } from '../../kind.ts'
import type { Service, ServicePort } from './schema.ts'

const column = columnsOf<Service>()

export const serviceColumns: readonly Column<Service>[] = [
  NAME_COLUMN,
  column('Type', 'How the Service is exposed.', { cell: ({ spec }) => spec.type ?? '' }),
  column('Cluster-IP', 'Address inside of the cluster; None for a headless Service.', {
    cell: ({ spec }) => spec.clusterIPs?.[0] ?? (spec.clusterIP || '<none>'),
  }),
  column('External-IP', 'Addresses at which it is reached from outside.', { cell: externalIPCell }),
  column('Port(s)', 'Ports, their node ports after the colon, and protocols.', { cell: ({ spec }) => portsCell(spec.ports) }),
  AGE_COLUMN,
  column('Selector', 'Labels of the pods behind it.', { wide: true, cell: ({ spec }) => labelsCell(spec.selector) }),
]

function externalIPCell({ spec, status }: Service): string {
  const externalIPs = spec.externalIPs ?? []
  switch (spec.type) {
    case 'ClusterIP':
    case 'NodePort':
      return externalIPs.join(',') || '<none>'
    case 'LoadBalancer': {
      const published = (status?.loadBalancer?.ingress ?? []).map((ingress) => ingress.ip || ingress.hostname || '')
      return [...published.filter((each) => each !== ''), ...externalIPs].join(',') || '<pending>'
    }
    case 'ExternalName':
      return spec.externalName ?? ''
    default:
      return '<unknown>'
  }
}

const portsCell = (ports: readonly ServicePort[] = []): string =>
  ports
    .map(({ port, nodePort, protocol }) =>
      nodePort === undefined || nodePort === 0 ? `${port}/${protocol}` : `${port}:${nodePort}/${protocol}`,
    )
    .join(',') || '<none>'
