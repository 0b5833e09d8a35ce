import { isNot, type Parser } from './grammar/reading.ts'

/** What a setting protects: when it cannot be read, nobody gets through (fail closed). */
export type Guard = 'authentication' | 'access' | 'limits' | 'client-certificates'

/** How near we are to what ingress-nginx does: as it, otherwise, accepted without effect, not at all. */
type Treatment = 'honoured' | 'differs' | 'no-effect' | 'refused'

/** One annotation: its grammar, and what becomes of it. */
export interface Annotation<T> {
  readonly parse: Parser<T>
  readonly treatment: Treatment
  /** What differs, why it does nothing, or why it is refused. */
  readonly note?: string
  readonly guard?: Guard
  /** A value that is not understood is one that is not allowed. */
  readonly refusesBad?: boolean
  /** What a value that is not understood may have protected. */
  readonly guardOf?: (text: string) => Guard | undefined
}

export const honoured = <T>(parse: Parser<T>, guard?: Guard): Annotation<T> => ({
  parse,
  treatment: 'honoured',
  ...(guard && { guard }),
})

export const differs = <T>(parse: Parser<T>, note: string, guard?: Guard): Annotation<T> => ({
  parse,
  treatment: 'differs',
  note,
  ...(guard && { guard }),
})

/** Known and well written, but there is nothing to set here. */
export const noEffect = <T>(parse: Parser<T>, note: string): Annotation<T> => ({ parse, treatment: 'no-effect', note })

export const refused = (note: string, guard?: Guard): Annotation<never> => ({
  parse: () => isNot(note),
  treatment: 'refused',
  note,
  ...(guard && { guard }),
})

/** The values that a group of annotations has in one Ingress. */
export type ValuesOf<G> = { readonly [K in keyof G]?: G[K] extends Annotation<infer T> ? T : never }

/** Something about an Ingress's annotations that its owner must know. */
export interface Finding {
  /** With its prefix. */
  readonly annotation: string
  readonly reason: 'AnnotationInvalid' | 'AnnotationUnknown' | 'AnnotationRefused'
  readonly message: string
  /** What is closed because of it. */
  readonly guard?: Guard
}
