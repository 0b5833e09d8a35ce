import type { Ingress } from './schema.ts'
import { INGRESS_CLASS_ANNOTATION } from './validation.ts'

/** What kubectl prints after `Warning:` when the Ingress is written. */
export const ingressWarnings = ({ metadata, spec }: Ingress): readonly string[] => {
  const hasAnnotation = metadata.annotations !== undefined && Object.hasOwn(metadata.annotations, INGRESS_CLASS_ANNOTATION)
  return hasAnnotation && spec.ingressClassName === undefined
    ? [`annotation "${INGRESS_CLASS_ANNOTATION}" is deprecated, please use 'spec.ingressClassName' instead`]
    : []
}
