import type { Ingress, IngressClass } from '../../api/index.ts'

/** The controller name by which an IngressClass chooses Fairway. */
export const CONTROLLER_NAME = 'fairway.dev/ingress'
/** How classes were named before IngressClass; compared as plain text. */
export const CLASS_ANNOTATION = 'kubernetes.io/ingress.class'
const DEFAULT_CLASS_ANNOTATION = 'ingressclass.kubernetes.io/is-default-class'

export interface ClassConfig {
  readonly controllerName: string
  /** Values of the old annotation that are ours even without an IngressClass of that name. */
  readonly watchedClasses: readonly string[]
  /** Of the classes of this controller only these; all of them when left out. For several instances in one cluster. */
  readonly onlyClasses?: readonly string[]
}

export type ClassDecision =
  | {
      readonly isOurs: true
      readonly because: 'ClassName' | 'Annotation' | 'DefaultClass'
      /** Undefined for a watched name without an IngressClass. */
      readonly ingressClass: IngressClass | undefined
    }
  | { readonly isOurs: false; readonly because: 'NoClass' | 'ClassNotFound' | 'ForeignClass'; readonly className?: string }

/**
 * Whether an Ingress is for us: `spec.ingressClassName`, else the old annotation, else the default class.
 * An IngressClass of another controller always wins over the list of watched names.
 */
export const selectClass = (ingress: Ingress, classes: readonly IngressClass[], config: ClassConfig): ClassDecision => {
  const named = (name: string): IngressClass | undefined => classes.find(({ metadata }) => metadata.name === name)
  const isOurs = (found: IngressClass): boolean =>
    found.spec.controller === config.controllerName && (config.onlyClasses?.includes(found.metadata.name) ?? true)
  const className = ingress.spec.ingressClassName
  if (className !== undefined && className !== '') {
    const found = named(className)
    if (found === undefined) return { isOurs: false, because: 'ClassNotFound', className }
    return isOurs(found)
      ? { isOurs: true, because: 'ClassName', ingressClass: found }
      : { isOurs: false, because: 'ForeignClass', className }
  }
  const annotation = ingress.metadata.annotations?.[CLASS_ANNOTATION]
  if (annotation !== undefined && annotation !== '') {
    const found = named(annotation)
    const ours = found === undefined ? config.watchedClasses.includes(annotation) : isOurs(found)
    return ours
      ? { isOurs: true, because: 'Annotation', ingressClass: found }
      : { isOurs: false, because: 'ForeignClass', className: annotation }
  }
  const defaults = classes.filter(({ metadata }) => metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true')
  const [first] = defaults
  // With several defaults nobody can say whose it is (the API refuses to create such an Ingress).
  return first !== undefined && defaults.length === 1 && isOurs(first)
    ? { isOurs: true, because: 'DefaultClass', ingressClass: first }
    : { isOurs: false, because: 'NoClass' }
}
