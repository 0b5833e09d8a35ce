import type { Annotation, ValuesOf } from './annotation.ts'
import { accessAnnotations } from './themes/access.ts'
import { authenticationAnnotations } from './themes/authentication.ts'
import { backendProtocolAnnotations } from './themes/backend-protocol.ts'
import { backendTlsAnnotations } from './themes/backend-tls.ts'
import { balancingAnnotations } from './themes/balancing.ts'
import { bodyAnnotations } from './themes/body.ts'
import { canaryAnnotations } from './themes/canary.ts'
import { certificateAnnotations } from './themes/certificates.ts'
import { clientTlsAnnotations } from './themes/client-tls.ts'
import { cookieAnnotations } from './themes/cookies.ts'
import { corsAnnotations } from './themes/cors.ts'
import { errorAnnotations } from './themes/errors.ts'
import { headerAnnotations } from './themes/headers.ts'
import { healthAnnotations } from './themes/health.ts'
import { hostAnnotations } from './themes/hosts.ts'
import { limitAnnotations } from './themes/limits.ts'
import { logAnnotations } from './themes/logs.ts'
import { mirrorAnnotations } from './themes/mirror.ts'
import { redirectAnnotations } from './themes/redirects.ts'
import { formerAnnotations, refusedAnnotations } from './themes/refusals.ts'
import { rewriteAnnotations } from './themes/rewrite.ts'
import { snippetAnnotations } from './themes/snippets.ts'
import { stickyAnnotations } from './themes/sticky.ts'
import { timeoutAnnotations } from './themes/timeouts.ts'

export const NGINX_PREFIX = 'nginx.ingress.kubernetes.io/'
export const FAIRWAY_PREFIX = 'fairway.dev/'

/** Every annotation that we know, each in the file of its theme: name → grammar and treatment. */
const nginxAnnotations = {
  ...redirectAnnotations,
  ...rewriteAnnotations,
  ...hostAnnotations,
  ...backendProtocolAnnotations,
  ...timeoutAnnotations,
  ...bodyAnnotations,
  ...authenticationAnnotations,
  ...accessAnnotations,
  ...limitAnnotations,
  ...corsAnnotations,
  ...stickyAnnotations,
  ...canaryAnnotations,
  ...errorAnnotations,
  ...backendTlsAnnotations,
  ...clientTlsAnnotations,
  ...balancingAnnotations,
  ...mirrorAnnotations,
  ...headerAnnotations,
  ...cookieAnnotations,
  ...logAnnotations,
  ...snippetAnnotations,
  ...refusedAnnotations,
  ...formerAnnotations,
} as const

/** What ingress-nginx has no name for. */
const fairwayAnnotations = { ...healthAnnotations, ...certificateAnnotations } as const

type Known = typeof nginxAnnotations & typeof fairwayAnnotations

/** The values of one Ingress, by the annotation's name without its prefix; what is not there was not set, or not readable. */
export type Values = ValuesOf<Known>

/** All of them, with their prefixes. */
export const annotationTable: ReadonlyMap<string, Annotation<unknown>> = new Map([
  ...Object.entries(nginxAnnotations).map(([name, row]) => [NGINX_PREFIX + name, row] as const),
  ...Object.entries(fairwayAnnotations).map(([name, row]) => [FAIRWAY_PREFIX + name, row] as const),
])
