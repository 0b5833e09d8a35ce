import { badRequest, labelValueErrors, qualifiedNameErrors } from '../../api/index.ts'
import { labelTokens, type Token } from './label-lexer.ts'

/** One condition on labels; `=` is `in` with one value, `!=` is `notin` with one. */
export type LabelRequirement =
  | { readonly key: string; readonly operator: 'in' | 'notin'; readonly values: ReadonlySet<string> }
  | { readonly key: string; readonly operator: 'exists' | '!' }
  | { readonly key: string; readonly operator: '>' | '<'; readonly bound: bigint }

/** All must hold; none matches everything. */
export type LabelRequirements = readonly LabelRequirement[]

/**
 * Reads a label selector as it stands in `?labelSelector=`, such as `app=web,tier in (a, b),!canary`.
 * Throws a BadRequest ApiError that says what was found and what was expected.
 */
export const parseLabelSelector = (text: string): LabelRequirements => {
  const reader = new TokenReader(labelTokens(text))
  const requirements: LabelRequirement[] = []
  if (reader.peek().kind === 'end') return requirements
  for (;;) {
    requirements.push(readRequirement(reader))
    const next = reader.take()
    if (next.kind === 'end') return requirements
    if (next.text !== ',') throw unexpected(next, "',' or 'end of string'")
    if (reader.peek().kind === 'end') throw unexpected(reader.peek(), "identifier after ','")
  }
}

/** Whether an object with these labels is selected; a missing label passes `!=`, `notin` and `!`. */
export const matchesLabels = (requirements: LabelRequirements, labels: Readonly<Record<string, string>> | undefined): boolean =>
  requirements.every((requirement) => matches(requirement, labels))

const matches = (requirement: LabelRequirement, labels: Readonly<Record<string, string>> | undefined): boolean => {
  const value = labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined
  switch (requirement.operator) {
    case 'in':
      return value !== undefined && requirement.values.has(value)
    case 'notin':
      return value === undefined || !requirement.values.has(value)
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    case '>':
    case '<': {
      if (value === undefined || !integer.test(value)) return false
      return requirement.operator === '>' ? BigInt(value) > requirement.bound : BigInt(value) < requirement.bound
    }
    default:
      return requirement satisfies never
  }
}

const integer = /^-?\d{1,63}$/

class TokenReader {
  private readonly tokens: readonly Token[]
  private at = 0

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
  }

  peek(): Token {
    return this.tokens[this.at] ?? end
  }

  take(): Token {
    const token = this.peek()
    this.at++
    return token
  }
}

const end: Token = { kind: 'end', text: '' }

const unexpected = (found: Token, expected: string): Error =>
  badRequest(`unable to parse requirement: found '${shown(found.text)}', expected: ${expected}`)

const readRequirement = (reader: TokenReader): LabelRequirement => {
  const isNegated = reader.peek().text === '!'
  if (isNegated) reader.take()
  const key = reader.take()
  if (key.kind !== 'word') throw unexpected(key, isNegated ? 'identifier' : "!, identifier, or 'end of string'")
  const [problem] = qualifiedNameErrors(key.text)
  if (problem !== undefined) throw badRequest(`unable to parse requirement: key: Invalid value: ${quoted(key.text)}: ${problem}`)
  if (isNegated) return { key: key.text, operator: '!' }
  const next = reader.peek()
  if (next.kind === 'end' || next.text === ',') return { key: key.text, operator: 'exists' }
  return readOperator(reader, key.text)
}

const readOperator = (reader: TokenReader, key: string): LabelRequirement => {
  const operator = reader.take()
  switch (operator.text) {
    case '=':
    case '==':
      return { key, operator: 'in', values: checkedValues(key, [readExactValue(reader)]) }
    case '!=':
      return { key, operator: 'notin', values: checkedValues(key, [readExactValue(reader)]) }
    case 'in':
    case 'notin':
      return { key, operator: operator.text, values: checkedValues(key, readValues(reader)) }
    case '>':
    case '<': {
      const bound = readExactValue(reader)
      if (integer.test(bound)) return { key, operator: operator.text, bound: BigInt(bound) }
      throw badRequest(
        `unable to parse requirement: values[0][${key}]: Invalid value: ${quoted(bound)}: for 'Gt', 'Lt' operators, the value must be an integer`,
      )
    }
    default:
      throw unexpected(operator, 'in, notin, =, ==, !=, gt, lt')
  }
}

const readExactValue = (reader: TokenReader): string => {
  const next = reader.peek()
  if (next.kind === 'end' || next.text === ',') return ''
  if (next.kind !== 'word') throw unexpected(next, 'identifier')
  return reader.take().text
}

/** `(a, b)`; an empty place is the empty value, as in Kubernetes. */
const readValues = (reader: TokenReader): readonly string[] => {
  const open = reader.take()
  if (open.text !== '(') throw unexpected(open, "'('")
  const values: string[] = []
  for (;;) {
    const isWord = reader.peek().kind === 'word'
    values.push(isWord ? reader.take().text : '')
    const next = reader.take()
    if (next.text === ')') return values
    if (next.text !== ',') throw unexpected(next, isWord ? "',' or ')'" : "',', ')' or identifier")
  }
}

const checkedValues = (key: string, values: readonly string[]): ReadonlySet<string> => {
  for (const [index, value] of values.entries()) {
    const [problem] = labelValueErrors(value)
    if (problem !== undefined)
      throw badRequest(`unable to parse requirement: values[${index}][${key}]: Invalid value: ${quoted(value)}: ${problem}`)
  }
  return new Set(values)
}

const shown = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}...` : text)

const quoted = (text: string): string => JSON.stringify(shown(text))
