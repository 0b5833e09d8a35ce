import { errorMessage, UserError } from '../../base/index.ts'
import { askControl, type ClusterExplanation } from '../../cluster/index.ts'
import { dataDirOf } from '../instance.ts'
import { align } from '../output.ts'

export interface ExplainOptions {
  readonly dataDir?: string
  /** Where a stand-alone proxy serves its metrics. */
  readonly proxy?: string
  readonly from: string
  readonly protocol: string
  /** `Name: value`, of a request to the Ingress. */
  readonly header?: readonly string[]
  readonly output: string
}

/** `fairway explain`: asks the running instance or a stand-alone proxy, whose answer comes from what it programs the traffic with. */
export const explain = async (target: string, options: ExplainOptions): Promise<void> => {
  const headers = options.header ?? []
  const malformed = headers.find((line) => !/^[^:\s]+:/.test(line))
  if (malformed !== undefined) throw new UserError(`--header: "${malformed}" is not like "X-Canary: always"`, { exitCode: 2 })
  const query = new URLSearchParams({ target, from: options.from, protocol: options.protocol })
  for (const line of headers) query.append('header', line)
  // The other end is this program's own `explainTarget`, or `metricsEndpoint`, which answers in the same form.
  const answer = (await (options.proxy === undefined
    ? askControl(dataDirOf(options), 'explain', query)
    : askProxy(options.proxy, query))) as ClusterExplanation
  if (options.output === 'json') console.log(JSON.stringify(answer.explanation, null, 2))
  else
    console.log(
      answer.kind === 'ingress' ? ingressText(answer.explanation, /^https:/i.test(target)) : serviceText(answer.explanation),
    )
}

const ASK_TIMEOUT_MS = 10_000

const askProxy = async (proxy: string, query: URLSearchParams): Promise<unknown> => {
  if (!/^https?:\/\//.test(proxy) || !URL.canParse(proxy)) {
    throw new UserError(`--proxy: "${proxy}" is not a URL such as http://127.0.0.1:10249`, { exitCode: 2 })
  }
  const url = new URL(`/explain?${query}`, proxy)
  const response = await fetch(url, { signal: AbortSignal.timeout(ASK_TIMEOUT_MS) }).catch((error: unknown) => {
    const reason = error instanceof Error && error.cause !== undefined ? errorMessage(error.cause) : errorMessage(error)
    throw new UserError(`no proxy answers at ${proxy} (${reason}); it is the --metrics-bind-address of "fairway proxy"`)
  })
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok && body !== undefined) return body
  const hasError = typeof body === 'object' && body !== null && 'error' in body
  throw new UserError(hasError ? String(body.error) : `${proxy} answers ${response.status}; is it a "fairway proxy"?`)
}

type IngressExplanation = Extract<ClusterExplanation, { kind: 'ingress' }>['explanation']
type ServiceExplanation = Extract<ClusterExplanation, { kind: 'service' }>['explanation']

const ingressText = (explanation: IngressExplanation, isTls: boolean): string => {
  const { host, path, chosen, answer, certificate, canaries, annotations, lost } = explanation
  const rows: readonly (readonly string[])[] = [
    ['request', `host ${host || '(none)'}, path ${path}`],
    ...(isTls ? [['certificate', certificate ?? 'the default one']] : []),
    ...(chosen ? chosenRows(chosen) : [['rule', 'none matches']]),
    ...annotations.map(({ name, value, state, note }) => ['annotation', annotationText(name, value, state, note)]),
    ...(answer ? [['answer', `${answer.status} by the Ingress itself: ${answer.reason}`]] : []),
    ...canaries.map((canary) => ['canary', canaryText(canary)]),
    ...endpointsOf(explanation).map((endpoint) => ['endpoint', `${endpoint.address}:${endpoint.port}`]),
    ...lost.map((rule) => ['not chosen', `${rule.ingress} ${rule.host || '*'} ${rule.match} ${rule.path}: ${rule.why}`]),
  ]
  return align(rows)
}

const endpointsOf = ({ backend, canaries }: IngressExplanation) =>
  (canaries.find(({ takes }) => takes === 'this-request')?.backend ?? backend)?.endpoints ?? []

const canaryText = ({ ingress, service, takes }: IngressExplanation['canaries'][number]): string => {
  const share = takes === 'this-request' ? 'takes this request' : `takes ${Math.round(takes * 1_000) / 10} % of such requests`
  return `${ingress}${service === undefined ? '' : `, service ${service}`}: ${share}`
}

const annotationText = (name: string, value: string, state: string, note: string | undefined): string =>
  `${name}: ${JSON.stringify(value)} ${state}${state === 'acts' || note === undefined ? '' : ` (${note})`}`

const chosenRows = (chosen: NonNullable<IngressExplanation['chosen']>): readonly (readonly string[])[] => [
  ['ingress', chosen.ingress],
  ['rule', `${chosen.rule}: host ${chosen.host || '*'}, ${chosen.match} ${chosen.path}`],
  ...(chosen.service === undefined ? [] : [['service', chosen.service]]),
]

const serviceText = ({ packet, verdict, service, endpoints, exceptions, mode, trace }: ServiceExplanation): string => {
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
    ['mode', mode],
    ...trace.map((line) => ['meets', line]),
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
