import type { Template } from '../table/index.ts'
import type { RequestView } from './contract.ts'
import { type Text, urlBytes, urlConstant, urlText, variableText } from './template.ts'

/**
 * The path and query that the pod sees. What the request puts into the path part stays in it (`?` and `#` are encoded) and cannot climb
 * (`.` and `..` elements are dropped, as captures may make new ones). The request's query follows, after `&` when the template has its own
 * (as nginx has it); not when `requestUri` has brought it.
 */
export const rewriteText = (template: Template): Text => {
  const { path, query } = splitAtQuery(template)
  const pathOf = pathPart(path)
  const queryOf = query && urlText(query)
  const isThere = template.some((part) => typeof part !== 'string' && part.of === 'requestUri')
  return (request) => {
    const text = queryOf === undefined ? pathOf(request) : `${pathOf(request)}?${queryOf(request)}`
    if (isThere || request.query === '') return text
    return queryOf === undefined ? text + request.query : `${text}&${request.query.slice(1)}`
  }
}

/** The template before and after the first `?` that its author wrote. */
const splitAtQuery = (template: Template): { readonly path: Template; readonly query: Template | undefined } => {
  const at = template.findIndex((part) => typeof part === 'string' && part.includes('?'))
  const part = template[at]
  if (typeof part !== 'string') return { path: template, query: undefined }
  const mark = part.indexOf('?')
  return {
    path: [...template.slice(0, at), part.slice(0, mark)],
    query: [part.slice(mark + 1), ...template.slice(at + 1)],
  }
}

const pathPart = (template: Template): Text => {
  const parts = template.map((part) => {
    if (typeof part === 'string') return urlConstant(part).replaceAll('#', '%23')
    const value = variableText(part)
    if (part.of === 'requestUri') return (request: RequestView) => urlBytes(value(request))
    return (request: RequestView) => urlBytes(value(request)).replaceAll('?', '%3F').replaceAll('#', '%23')
  })
  return (request) => {
    let text = ''
    for (const part of parts) text += typeof part === 'string' ? part : part(request)
    return withoutDots(text)
  }
}

const withoutDots = (text: string): string => {
  const path = text.startsWith('/') ? text : `/${text}`
  if (!NEEDS_WORK.test(path)) return path
  const mark = path.indexOf('?')
  const elements = (mark === -1 ? path : path.slice(0, mark)).replaceAll('\\', '%5C').split('/').slice(1)
  const last = elements.length - 1
  const kept = elements.filter((element, at) => !DOTS.test(element) && (element !== '' || at === last))
  // A dropped last element leaves the slash before it.
  if (last >= 0 && DOTS.test(elements[last] ?? '')) kept.push('')
  return `/${kept.join('/')}${mark === -1 ? '' : path.slice(mark)}`
}

const NEEDS_WORK = /\/\/|\/\.|\/%2e|\\/i
const DOTS = /^(?:\.|%2e){1,2}$/i
