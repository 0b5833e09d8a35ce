import { ApiError } from '../../api/index.ts'

/** The form in which a client wants an object or a list. */
export type Representation =
  | { readonly kind: 'object' }
  | { readonly kind: 'table'; readonly version: MetaVersion }
  /** PartialObjectMetadata, or PartialObjectMetadataList for a list. */
  | { readonly kind: 'metadata'; readonly version: MetaVersion }

export type MetaVersion = 'v1' | 'v1beta1'

/**
 * The first form of an Accept header that is served, in the order of quality and then of the header. JSON is the only format: a client
 * that lists protobuf or CBOR first gets JSON if it takes that as well; the content type is `application/json` in every form. Throws a NotAcceptable ApiError (406) if there is none.
 */
export const negotiate = (accept: string | undefined): Representation => {
  if (accept === undefined || accept.trim() === '') return asObject
  // A header has at most a dozen clauses; a longer one is cut off rather than sorted.
  const clauses = accept.slice(0, 8192).split(',').map(parseClause)
  for (const clause of clauses.sort((a, b) => b.quality - a.quality)) {
    const found = clause.quality > 0 ? answerTo(clause) : undefined
    if (found !== undefined) return found
  }
  throw new ApiError({
    code: 406,
    reason: 'NotAcceptable',
    message: 'only the following media types are accepted: application/json',
  })
}

interface Clause {
  readonly type: string
  readonly quality: number
  readonly parameters: ReadonlyMap<string, string>
}

const asObject: Representation = { kind: 'object' }

const parseClause = (text: string): Clause => {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim())
  const parameters = new Map<string, string>()
  for (const part of rest) {
    const at = part.indexOf('=')
    if (at > 0)
      parameters.set(
        part.slice(0, at).trim().toLowerCase(),
        part
          .slice(at + 1)
          .trim()
          .replace(/^"([^"]*)"$/, '$1'),
      )
  }
  const quality = Number(parameters.get('q') ?? 1)
  return { type: type.toLowerCase(), quality: Number.isNaN(quality) ? 0 : quality, parameters }
}

const jsonTypes = new Set(['application/json', 'application/*', '*/*'])

const answerTo = ({ type, parameters }: Clause): Representation | undefined => {
  if (!jsonTypes.has(type)) return undefined
  const as = parameters.get('as')
  if (as === undefined) return asObject
  const version = parameters.get('v')
  if (parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined
  switch (as) {
    case 'Table':
    case 'PartialObjectMetadata':
    case 'PartialObjectMetadataList':
      return { kind: as === 'Table' ? 'table' : 'metadata', version }
    default:
      return undefined
  }
}
