import { noEffect, refused } from '../annotation.ts'
import { boolean } from '../grammar/scalars.ts'

const WAF = 'there is no ModSecurity here; put a firewall in front, or keep to access lists and limits'
const FASTCGI = 'FastCGI is not spoken; put an HTTP server in front of it'

/** What no Ingress can have here. */
export const refusedAnnotations = {
  'enable-modsecurity': refused(WAF),
  'enable-owasp-core-rules': refused(WAF),
  'modsecurity-transaction-id': refused(WAF),
  'modsecurity-snippet': refused(WAF),
  'fastcgi-index': refused(FASTCGI),
  'fastcgi-params-configmap': refused(FASTCGI),
  'http2-push-preload': noEffect(boolean, 'browsers have dropped HTTP/2 push'),
  'stream-snippet': refused('raw nginx text for TCP; TCP services have their own ConfigMap'),
} as const

const formerly = (instead: string) => refused(`ingress-nginx itself has removed it; ${instead}`)

/** What later versions of ingress-nginx no longer had, and is still found in manifests. */
export const formerAnnotations = {
  'add-base-url': formerly('write relative links in the pages'),
  'base-url-scheme': formerly('write relative links in the pages'),
  'configuration-buffer-size': formerly('nothing is needed'),
  'enable-influxdb': formerly('take the Prometheus metrics'),
  'enable-opentracing': formerly('use enable-opentelemetry'),
  'global-rate-limit': formerly('use limit-rps, which each replica counts'),
  'global-rate-limit-window': formerly('use limit-rps, which each replica counts'),
  'grpc-backend': formerly('use backend-protocol: GRPC'),
  'lua-resty-waf': formerly('put a firewall in front'),
  'secure-backends': formerly('use backend-protocol: HTTPS'),
  'secure-verify-ca-secret': formerly('use proxy-ssl-secret'),
  'session-cookie-hash': formerly('nothing is needed'),
  'upstream-fail-timeout': formerly('endpoints that fail are left out for a while by themselves'),
  'upstream-max-fails': formerly('endpoints that fail are left out for a while by themselves'),
} as const
