import { honoured } from '../annotation.ts'
import { boolean } from '../grammar/scalars.ts'

/** With the prefix `fairway.dev/`: who asks an ACME server for the certificates of `spec.tls` (`src/ingress/acme`). */
export const certificateAnnotations = { acme: honoured(boolean) } as const
