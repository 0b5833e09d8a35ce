import type { Finding } from './annotation.ts'
import { shown } from './grammar/reading.ts'
import { nearest } from './nearest.ts'
import { annotationTable, FAIRWAY_PREFIX, NGINX_PREFIX, type Values } from './table.ts'

export interface ReadAnnotations {
  readonly values: Values
  readonly findings: readonly Finding[]
}

/** Reads what an Ingress's annotations say to us; in the order of their names, so that the findings are the same each time. */
export const readAnnotations = (annotations: Readonly<Record<string, string>> | undefined): ReadAnnotations => {
  const values: Record<string, unknown> = {}
  const findings: Finding[] = []
  for (const name of Object.keys(annotations ?? {}).sort()) {
    const isOurs = name.startsWith(NGINX_PREFIX) || name.startsWith(FAIRWAY_PREFIX)
    if (!isOurs) continue
    const result = readOne(name, annotations?.[name] ?? '')
    if (result.finding !== undefined) findings.push(result.finding)
    else values[name.slice(name.indexOf('/') + 1)] = result.value
  }
  // Each value was made by the parser of its name.
  return { values: values as Values, findings }
}

const LONGEST_PLAIN = 16_384

const readOne = (name: string, raw: string): { readonly value?: unknown; readonly finding?: Finding } => {
  const row = annotationTable.get(name)
  if (row === undefined) return { finding: unknown(name) }
  const text = raw.trim()
  const reading = text.length > LONGEST_PLAIN ? ({ ok: false, why: 'shorter' } as const) : row.parse(text)
  if (reading.ok) return { value: reading.value }
  const guard = row.guard ?? row.guardOf?.(text)
  if (row.treatment === 'refused')
    return {
      finding: { annotation: name, reason: 'AnnotationRefused', message: `${name}: ${reading.why}`, ...(guard && { guard }) },
    }
  const reason = row.refusesBad ? 'AnnotationRefused' : 'AnnotationInvalid'
  const message = `${name}: ${row.refusesBad ? 'a snippet' : shown(text)} is not ${reading.why}`
  return { finding: { annotation: name, reason, message, ...(guard && { guard }) } }
}

const unknown = (name: string): Finding => {
  const near = nearest(name, [...annotationTable.keys()])
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  return { annotation: name, reason: 'AnnotationUnknown', message: `${shown(name)} is not an annotation that we know${hint}` }
}
