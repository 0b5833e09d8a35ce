import { RE2JS } from 're2js'
import type { Canary } from '../table/index.ts'
import type { CompiledPolicy, RequestView } from './contract.ts'
import { cookieValue } from './cookies.ts'

type Rule = (request: RequestView) => boolean | undefined

/**
 * The first canary that takes a request. For each: header, cookie, weight, as ingress-nginx has it: the header's `always` and `never`
 * decide, a value or pattern decides only when it matches, and what does not decide falls through. `random` yields 0 to below 1.
 */
export const compileCanaries = (canaries: readonly Canary[], random: () => number): NonNullable<CompiledPolicy['canary']> => {
  const compiled = canaries.map((canary) => ({
    taken: { backend: canary.backend, labels: canary.labels },
    rules: [headerRule(canary.header), cookieRule(canary.cookie), weightRule(canary, random)],
  }))
  return (request) => {
    for (const { taken, rules } of compiled) if (decided(rules, request)) return taken
    return undefined
  }
}

const decided = (rules: readonly Rule[], request: RequestView): boolean => {
  for (const rule of rules) {
    const decision = rule(request)
    if (decision !== undefined) return decision
  }
  return false
}

const undecided: Rule = () => undefined

const headerRule = (header: Canary['header']): Rule => {
  if (header === undefined) return undecided
  const { name, value, pattern } = header
  if (value !== undefined && value !== '') return (request) => (request.field(name) === value ? true : undefined)
  if (pattern === undefined || pattern === '') return (request) => alwaysOrNever(request.field(name))
  const expression = compiled(pattern)
  if (expression === undefined) return undecided
  return (request) => {
    const text = request.field(name)
    return text !== undefined && expression.matcher(text).find() ? true : undefined
  }
}

/** Undefined for what RE2 does not take: no request matches it. */
const compiled = (pattern: string): RE2JS | undefined => {
  try {
    return RE2JS.compile(pattern)
  } catch {
    return undefined
  }
}

const cookieRule = (name: Canary['cookie']): Rule =>
  name === undefined ? undecided : (request) => alwaysOrNever(cookieValue(request.field('cookie'), name))

const DEFAULT_TOTAL = 100

const weightRule = ({ weight = 0, total }: Canary, random: () => number): Rule => {
  const of = total === undefined || total < 1 ? DEFAULT_TOTAL : total
  return weight <= 0 ? undecided : () => random() * of < weight
}

const alwaysOrNever = (value: string | undefined): boolean | undefined =>
  value === 'always' ? true : value === 'never' ? false : undefined
