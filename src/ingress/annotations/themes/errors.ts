import { differs, honoured, type ValuesOf } from '../annotation.ts'
import { objectName } from '../grammar/names.ts'
import { listOf } from '../grammar/reading.ts'
import { boolean, errorStatus } from '../grammar/scalars.ts'

export const errorAnnotations = {
  'custom-http-errors': differs(listOf(errorStatus), 'needs default-backend on the same Ingress'),
  'default-backend': differs(
    objectName,
    'the first port of the Service; requests that it gets for want of endpoints carry no X-Code',
  ),
  'disable-proxy-intercept-errors': honoured(boolean),
} as const

type Values = ValuesOf<typeof errorAnnotations>

/** The statuses of pods that the default backend answers in place of. */
export const interceptedStatuses = (values: Values): readonly number[] => {
  if (values['disable-proxy-intercept-errors'] === true || values['default-backend'] === undefined) return []
  return [...new Set(values['custom-http-errors'] ?? [])].sort((a, b) => a - b)
}
