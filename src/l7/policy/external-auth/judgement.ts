import type { Answer, FieldLines } from '../contract.ts'
import { fieldLine, mayEdit } from '../field-edits.ts'
import type { OutsideAnswer } from '../outside/contract.ts'
import { refusal } from '../own-answers.ts'
import { fieldValue } from '../template.ts'

/** What a service's answer means, without what belongs to one request only, so that it can be kept. */
export type Judgement =
  | { readonly kind: 'allowed'; readonly requestFields: FieldLines }
  | { readonly kind: 'unauthorized'; readonly challenge: string }
  | { readonly kind: 'forbidden' }
  | { readonly kind: 'failed'; readonly reason: string }

/** @param wanted names of fields of the answer that go to the pod; the client's own of these names never do. */
export const judge = ({ status, fields }: OutsideAnswer, wanted: readonly string[]): Judgement => {
  if (status >= 200 && status < 300) return { kind: 'allowed', requestFields: requestFields(fields, wanted) }
  if (status === 401) return { kind: 'unauthorized', challenge: linesOf(fields, 'www-authenticate') }
  if (status === 403) return { kind: 'forbidden' }
  return { kind: 'failed', reason: 'unexpected-status' }
}

const requestFields = (fields: OutsideAnswer['fields'], wanted: readonly string[]): FieldLines => {
  const remove = wanted.filter(mayEdit)
  let lines = ''
  for (const name of remove) {
    const values = fields.filter(([each]) => each === name).map(([, value]) => fieldValue(value))
    lines += fieldLine(name, values.join(name === 'cookie' ? '; ' : ', '))
  }
  return { remove, lines }
}

/** The lines of one name, as they came. */
export const linesOf = (fields: OutsideAnswer['fields'], name: string): string => {
  let lines = ''
  for (const [each, value] of fields) if (each === name) lines += fieldLine(name, fieldValue(value))
  return lines
}

/** The answer to a client that is not let through; `signin` is a safe Location. */
export const refusalOf = (judgement: Exclude<Judgement, { kind: 'allowed' }>, signin: string | undefined): Answer => {
  switch (judgement.kind) {
    case 'unauthorized':
      return signin === undefined
        ? refusal(401, 'external-auth-required', judgement.challenge)
        : refusal(302, 'external-auth-signin', `Location: ${signin}\r\n`)
    case 'forbidden':
      return refusal(403, 'external-auth-forbidden', '')
    case 'failed':
      return refusal(500, `external-auth-${judgement.reason}`, '')
    default:
      return judgement satisfies never
  }
}
