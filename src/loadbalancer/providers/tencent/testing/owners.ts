import type { Listener, Owner, TargetEndpoint, TargetNode } from '../../../provider.ts'
import { ANNOTATIONS } from '../annotations/index.ts'

export type AnnotationTexts = Partial<Record<keyof typeof ANNOTATIONS, string>>

/** Annotations by the names of the table. */
export const annotated = (texts: AnnotationTexts): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [ANNOTATIONS[name as keyof typeof ANNOTATIONS].key, text]))

export interface OwnerOptions extends Partial<Omit<Owner, 'annotations'>> {
  readonly annotations?: AnnotationTexts
}

export const owner = (name: string, { annotations = {}, ...rest }: OwnerOptions = {}): Owner => ({
  uid: `uid-${name}`,
  namespace: 'default',
  name,
  createdAt: '2026-01-01T00:00:00Z',
  state: 'wanted',
  labels: {},
  annotations: annotated(annotations),
  ipFamilies: ['IPv4'],
  ipFamilyPolicy: 'SingleStack',
  selector: { app: name },
  externalTrafficPolicy: 'Cluster',
  healthCheck: { port: 10_256, path: '/healthz' },
  sessionAffinitySeconds: undefined,
  sourceRanges: [],
  listeners: [listener('TCP', 80)],
  ingress: [],
  ...rest,
})

export const listener = (protocol: Listener['protocol'], port: number, more: Partial<Listener> = {}): Listener => ({
  name: `${protocol.toLowerCase()}-${port}`,
  protocol,
  port,
  nodePort: 30_000 + (port % 2_000),
  endpoints: [],
  ...more,
})

/** `10.0.0.1:8080 ready pod=db-0 node=n1`; states: ready, notReady, terminating, gone. */
export const endpoint = (text: string): TargetEndpoint => {
  const [where = '', state = 'ready', ...more] = text.split(' ')
  const named = (key: string): string | undefined => more.find((part) => part.startsWith(`${key}=`))?.slice(key.length + 1)
  const at = where.lastIndexOf(':')
  const pod = named('pod')
  return {
    address: where.slice(0, at),
    port: Number(where.slice(at + 1)),
    conditions: {
      ready: state === 'ready',
      serving: state === 'ready' || state === 'terminating',
      terminating: state === 'terminating' || state === 'gone',
    },
    nodeName: named('node'),
    pod: pod === undefined ? undefined : { namespace: 'default', name: pod },
  }
}

export const node = (name: string, more: Partial<TargetNode> = {}): TargetNode => ({
  name,
  providerID: `qcloud:///800002/ins-${name}`,
  addresses: [`192.168.0.${name.replace(/\D/g, '') || '1'}`],
  labels: {},
  isReady: true,
  isUnschedulable: false,
  ...more,
})
