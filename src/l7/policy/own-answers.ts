import type { FixedAnswer } from '../table/index.ts'
import type { Answer } from './contract.ts'

const TEXT = 'text/plain; charset=utf-8'

/** An answer of one line that says why. */
export const refusal = (status: number, reason: string, fields = ''): Answer => ({
  status,
  reason,
  fields,
  body: `${status}: ${reason}\n`,
  contentType: TEXT,
})

export const fixedAnswer = ({ status, contentType, body = '' }: FixedAnswer): Answer => ({
  status,
  reason: 'fixed-answer',
  fields: '',
  body,
  contentType: contentType ?? (body === '' ? '' : TEXT),
})
