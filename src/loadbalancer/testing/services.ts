import type { Service } from '../../api/index.ts'
import { port, service } from '../../model/testing/index.ts'

let created = 0

/** A LoadBalancer Service `default/<name>` of uid `uid-<name>`, younger than those before. */
export const testService = (
  name: string,
  ports: readonly number[],
  annotations: Readonly<Record<string, string>> = {},
): Service => {
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1) + ++created * 1_000).toISOString().replace('.000Z', 'Z')
  return service(
    name,
    {
      type: 'LoadBalancer',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      externalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: true,
      ports: ports.map((number) => port(number, { name: `p${number}`, nodePort: 30_000 + (number % 2_768) })),
    },
    { metadata: { uid: `uid-${name}`, creationTimestamp, annotations: { ...annotations } } },
  )
}
