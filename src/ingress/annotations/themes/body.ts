import type { RoutePolicy } from '../../../l7/table/index.ts'
import { differs, honoured, noEffect, type ValuesOf } from '../annotation.ts'
import { integer, onOff, size } from '../grammar/scalars.ts'

const STREAMED = 'answers are streamed in bounded memory; there is nothing to size'

export const bodyAnnotations = {
  'proxy-body-size': honoured(size),
  'proxy-request-buffering': differs(
    onOff,
    'off (streamed) when it is not asked for; on reads the body into bounded memory, not to disk',
  ),
  'proxy-buffering': noEffect(onOff, STREAMED),
  'proxy-buffer-size': noEffect(size, STREAMED),
  'proxy-buffers-number': noEffect(integer(1, 65_536), STREAMED),
  'proxy-busy-buffers-size': noEffect(size, STREAMED),
  'proxy-max-temp-file-size': noEffect(size, 'nothing is written to disk'),
  'client-body-buffer-size': noEffect(size, 'requests are streamed in bounded memory'),
} as const

type Values = ValuesOf<typeof bodyAnnotations>

export const bodies = (values: Values): RoutePolicy => {
  const maxBodyBytes = values['proxy-body-size']
  return {
    ...(maxBodyBytes !== undefined && { maxBodyBytes }),
    ...(values['proxy-request-buffering'] && { bufferRequest: true }),
  }
}
