import { ANNOTATIONS, type Annotation, TENCENT_PREFIX } from './table.ts'

type Table = typeof ANNOTATIONS
export type Settings = { readonly [K in keyof Table]?: Table[K] extends Annotation<infer T> ? T : never }

export interface Finding {
  readonly key: string
  readonly reason: 'AnnotationInvalid' | 'AnnotationRefused' | 'AnnotationUnknown'
  readonly message: string
  readonly blocks: 'creation' | 'all' | undefined
}

export interface ReadAnnotations {
  /** What is set and understood. */
  readonly settings: Settings
  readonly findings: readonly Finding[]
}

type AnyAnnotation = Annotation<unknown>

const TABLE = Object.entries(ANNOTATIONS) as readonly (readonly [keyof Table, AnyAnnotation])[]
const KNOWN = new Set(TABLE.map(([, { key }]) => key))
/** Prefixes that are Tencent's own: a key with one of them that is not known is a mistake. */
const OWN = [TENCENT_PREFIX, 'service.kubernetes.io/qcloud-', 'service.kubernetes.io/tke-', 'service.kubernetes.io/loadbalance-']

/** Pure: what a Service's annotations ask for, and what is wrong with them. */
export const readAnnotations = (annotations: Readonly<Record<string, string>>): ReadAnnotations => {
  const settings: Record<string, unknown> = {}
  const findings: Finding[] = []
  for (const [name, annotation] of TABLE) {
    const text = annotations[annotation.key]
    if (text === undefined || annotation.treatment === 'read-only') continue
    const reading = annotation.parse(text)
    if (reading.kind === 'value') settings[name] = reading.value
    else findings.push(finding(annotation, reading.reason))
  }
  const together = contradictions(settings as Settings)
  return { settings: settings as Settings, findings: [...findings, ...together, ...unknownKeys(annotations)] }
}

const finding = ({ key, treatment, blocks }: AnyAnnotation, reason: string): Finding => ({
  key,
  reason: treatment === 'refused' ? 'AnnotationRefused' : 'AnnotationInvalid',
  message: `the annotation ${key} ${treatment === 'refused' ? 'is refused:' : 'counts as not set: it'} ${reason}`,
  blocks,
})

const contradictions = (settings: Settings): readonly Finding[] => {
  const found: Finding[] = []
  const say = (annotation: AnyAnnotation, text: string): void =>
    void found.push({
      key: annotation.key,
      reason: 'AnnotationInvalid',
      message: `the annotation ${annotation.key} has no effect: ${text}`,
      blocks: undefined,
    })
  if (settings.weightByPods === true && settings.onlyNodesWithPod !== true)
    say(ANNOTATIONS.weightByPods, `it needs ${ANNOTATIONS.onlyNodesWithPod.key} to be "true"`)
  if (settings.existedId !== undefined && settings.subnetId !== undefined)
    say(ANNOTATIONS.subnetId, `the load balancer of ${ANNOTATIONS.existedId.key} is as it is`)
  if (settings.subnetId !== undefined && (settings.bandwidth ?? settings.chargeType) !== undefined)
    say(
      settings.bandwidth === undefined ? ANNOTATIONS.chargeType : ANNOTATIONS.bandwidth,
      'an internal load balancer has no public traffic',
    )
  return found
}

const unknownKeys = (annotations: Readonly<Record<string, string>>): readonly Finding[] =>
  Object.keys(annotations)
    .filter((key) => !KNOWN.has(key) && OWN.some((prefix) => key.startsWith(prefix)))
    .sort()
    .map((key) => ({
      key,
      reason: 'AnnotationUnknown',
      message: `the annotation ${key} is not one of TKE's Services and has no effect`,
      blocks: undefined,
    }))
