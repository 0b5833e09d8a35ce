import type { Mirror } from '../../../l7/table/index.ts'
import { differs, honoured, type ValuesOf } from '../annotation.ts'
import { hostName } from '../grammar/names.ts'
import { isNot } from '../grammar/reading.ts'
import { onOff } from '../grammar/scalars.ts'
import { outsideUrl } from '../grammar/url.ts'

export const mirrorAnnotations = {
  'mirror-target': differs((text) => {
    const reading = outsideUrl(text)
    return reading.ok && reading.value.host === undefined ? isNot('a URL with a literal host') : reading
  }, 'loopback, link-local and metadata addresses are refused; the path is the request’s when the URL has none'),
  'mirror-host': honoured(hostName),
  'mirror-request-body': honoured(onOff),
} as const

type Values = ValuesOf<typeof mirrorAnnotations>

export const mirroring = (values: Values): { readonly mirror?: Mirror } => {
  const target = values['mirror-target']
  if (target?.host === undefined) return {}
  const { scheme, host, port, rest } = target
  const named = values['mirror-host']
  return {
    mirror: {
      target: { scheme, host, port },
      path: rest.length === 0 ? [{ of: 'requestUri' }] : rest,
      ...(named && { host: named }),
      withBody: values['mirror-request-body'] ?? true,
    },
  }
}
