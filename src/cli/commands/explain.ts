import { askControl, type ClusterExplanation } from '../../cluster/index.ts'
import { dataDirOf } from '../instance.ts'
import { align } from '../output.ts'

export interface ExplainOptions {
  readonly dataDir?: string
  readonly from: string
  readonly protocol: string
  readonly output: string
}

/** `fairway explain`: asks the running instance, whose answer comes from what it programs the traffic with. */
export const explain = async (target: string, options: ExplainOptions): Promise<void> => {
  const query = { target, from: options.from, protocol: options.protocol }
  // The other end of the socket is this program's own `explainTarget`.
  const answer = (await askControl(dataDirOf(options), 'explain', query)) as ClusterExplanation
  if (options.output === 'json') console.log(JSON.stringify(answer.explanation, null, 2))
  else
    console.log(
      answer.kind === 'ingress' ? ingressText(answer.explanation, /^https:/i.test(target)) : serviceText(answer.explanation),
    )
}

type IngressExplanation = Extract<ClusterExplanation, { kind: 'ingress' }>['explanation']
type ServiceExplanation = Extract<ClusterExplanation, { kind: 'service' }>['explanation']

const ingressText = ({ host, path, chosen, backend, answer, certificate, lost }: IngressExplanation, isTls: boolean): string => {
  const rows: readonly (readonly string[])[] = [
    ['request', `host ${host || '(none)'}, path ${path}`],
    ...(isTls ? [['certificate', certificate ?? 'the default one']] : []),
    ...(chosen ? chosenRows(chosen) : [['rule', 'none matches']]),
    ...(answer ? [['answer', `${answer.status} by the Ingress itself: ${answer.reason}`]] : []),
    ...(backend?.endpoints ?? []).map((endpoint) => ['endpoint', `${endpoint.address}:${endpoint.port}`]),
    ...lost.map((rule) => ['not chosen', `${rule.ingress} ${rule.host || '*'} ${rule.match} ${rule.path}: ${rule.why}`]),
  ]
  return align(rows)
}

const chosenRows = (chosen: NonNullable<IngressExplanation['chosen']>): readonly (readonly string[])[] => [
  ['ingress', chosen.ingress],
  ['rule', `${chosen.rule}: host ${chosen.host || '*'}, ${chosen.match} ${chosen.path}`],
  ...(chosen.service === undefined ? [] : [['service', chosen.service]]),
]

const serviceText = ({ packet, verdict, service, endpoints, exceptions }: ServiceExplanation): string => {
  const { source, destination, protocol } = packet
  const rows: readonly (readonly string[])[] = [
    [
      'packet',
      `${protocol} to ${destination.address}:${destination.port}, from ${source.address || 'an address'} (${source.class})`,
    ],
    ['service', service ? `${service.namespace}/${service.name}` : 'none has this address and port'],
    ['verdict', verdictText(verdict)],
    ...endpoints.map(({ endpoint, isCandidate, reason }) => [
      isCandidate ? 'endpoint' : 'not chosen',
      `${endpoint.address}:${endpoint.port}${endpoint.pod ? ` pod ${endpoint.pod.namespace}/${endpoint.pod.name}` : ''}: ${reason}`,
    ]),
    ...exceptions.map((status) => ['served', 'message' in status ? status.message : status.state]),
  ]
  return align(rows)
}

const verdictText = (verdict: ServiceExplanation['verdict']): string => {
  switch (verdict.kind) {
    case 'dnat': {
      const masqueraded = verdict.candidates.filter((candidate) => candidate.masquerade).length
      return `to one of ${verdict.candidates.length} endpoints (${verdict.reason}), source rewritten for ${masqueraded}`
    }
    case 'reject':
      return `refused: ${verdict.reason}`
    case 'drop':
      return `dropped: ${verdict.reason}`
    case 'none':
      return 'not a Service: the kernel routes it as ever'
    default:
      return verdict satisfies never
  }
}
