import { type KubeObject, type LabelSelector, selectorMatches } from '../api/index.ts'
import type { Lister } from '../informers/index.ts'

type Labels = Readonly<Record<string, string>>

/** Index values of an object for finding it by any one of its labels. */
export const labelTerms = ({ metadata }: KubeObject): readonly string[] =>
  Object.entries(metadata.labels ?? {}).map(([key, value]) => term(metadata.namespace, key, value))

/** The index value of a selector: a term that everything it selects has; `namespace/` when it asks for no label by value. */
export const narrowestTerm = (namespace: string | undefined, matchLabels: Labels | undefined): readonly string[] => {
  const entries = Object.entries(matchLabels ?? {})
  // The longest pair is as good a guess as any for the rarest, and it is the same every time.
  const [longest] = entries.sort(([a, v], [b, w]) => b.length + w.length - a.length - v.length || (a < b ? -1 : 1))
  return [longest ? term(namespace, longest[0], longest[1]) : everything(namespace)]
}

/** The objects of a namespace that `selector` selects, through the `label` index where it names a label by value. */
export const selectedBy = <T extends KubeObject>(lister: Lister<T>, namespace: string, selector: LabelSelector): readonly T[] => {
  const [narrowest = everything(namespace)] = narrowestTerm(namespace, selector.matchLabels)
  const candidates = narrowest === everything(namespace) ? lister.list(namespace) : lister.byIndex('label', narrowest)
  return candidates.filter(({ metadata }) => selectorMatches(selector, metadata.labels))
}

/** The objects whose selector may select `object`, through the `selectorTerm` index; the caller checks the selector itself. */
export const candidatesFor = <T extends KubeObject>(lister: Lister<T>, object: KubeObject): readonly T[] =>
  [everything(object.metadata.namespace), ...labelTerms(object)].flatMap((value) => lister.byIndex('selectorTerm', value))

const term = (namespace: string | undefined, key: string, value: string): string => `${namespace ?? ''}/${key}=${value}`

const everything = (namespace: string | undefined): string => `${namespace ?? ''}/`
