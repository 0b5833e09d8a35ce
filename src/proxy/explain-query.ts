import type { ExplainQuery } from './explain.ts'

const SOURCES = ['pod', 'node', 'outside'] as const
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const

/** A question as it comes over HTTP: `target=10.96.0.1:443`, `from`, `protocol`, `source`; undefined when the target isn't `address:port`. */
export const parseExplainQuery = (params: URLSearchParams): ExplainQuery | undefined => {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(params.get('target') ?? '') ?? []
  const address = bracketed ?? plain
  if (address === undefined) return undefined
  const protocol = PROTOCOLS.find((each) => each === params.get('protocol'))
  const from = SOURCES.find((each) => each === params.get('from'))
  const source = params.get('source')
  return {
    address,
    port: Number(port),
    ...(protocol === undefined ? {} : { protocol }),
    source: { ...(from === undefined ? {} : { class: from }), ...(source === null ? {} : { address: source }) },
  }
}
