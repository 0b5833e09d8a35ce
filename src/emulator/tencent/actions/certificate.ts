import { CloudError, missing, unsupported } from '../errors.ts'
import type { ListenerCertificate } from '../model.ts'
import { list, type Of, oneOf, optional, record, text } from '../shape.ts'
import { type Context, notModelled } from './action.ts'

const sslMode = oneOf('UNIDIRECTIONAL', 'MUTUAL')
const certificateId = text({ max: 64, pattern: /^[A-Za-z0-9_-]+$/ })

export const certificateShape = record({
  SSLMode: optional(sslMode),
  SSLVerifyClient: notModelled,
  CertId: optional(certificateId),
  CertCaId: optional(certificateId),
  CertName: notModelled,
  CertKey: notModelled,
  CertContent: notModelled,
  CertCaName: notModelled,
  CertCaContent: notModelled,
})

export const multiCertShape = record({
  SSLMode: sslMode,
  CertList: list(record({ CertId: certificateId, CertName: notModelled, CertContent: notModelled, CertKey: notModelled }), 1, 2),
  SSLVerifyClient: notModelled,
})

interface Given {
  readonly Certificate?: Of<typeof certificateShape>
  readonly MultiCertInfo?: Of<typeof multiCertShape>
}

/** The certificate that a request names; undefined when it names none. Certificates are uploaded beforehand, and known by id. */
export const certificateOf = (
  { Certificate: one, MultiCertInfo: several }: Given,
  context: Context,
): ListenerCertificate | undefined => {
  if (one !== undefined && several !== undefined)
    throw new CloudError('InvalidParameter', '`Certificate` and `MultiCertInfo` exclude each other.')
  if (several !== undefined) return checked({ mode: several.SSLMode, ids: several.CertList.map(({ CertId }) => CertId) }, context)
  if (one === undefined) return undefined
  if (one.CertId === undefined) throw missing('Certificate.CertId')
  const mode = one.SSLMode ?? 'UNIDIRECTIONAL'
  if (mode === 'MUTUAL' && one.CertCaId === undefined) throw missing('Certificate.CertCaId')
  return checked({ mode, ids: [one.CertId], ...(one.CertCaId !== undefined && { caId: one.CertCaId }) }, context)
}

const checked = (certificate: ListenerCertificate, { hasCertificate }: Context): ListenerCertificate => {
  for (const id of [...certificate.ids, ...(certificate.caId === undefined ? [] : [certificate.caId])])
    if (!hasCertificate(id)) throw new CloudError('InvalidParameter', `The certificate ${id} does not exist.`)
  if (certificate.mode === 'MUTUAL' && certificate.caId === undefined)
    throw unsupported('The emulator takes the authority of MUTUAL from `Certificate.CertCaId`.')
  return certificate
}
