import type { RequestHead } from '../http1/request-head.ts'
import type { PodRequest } from './pod-request.ts'

export interface PodError {
  readonly status: number
  readonly request: RequestHead
  readonly accept: string
  readonly labels: Readonly<Record<string, string>>
}

/**
 * Turns the request to a pod into the question for an error's page, as ingress-nginx asks its default backend: the same fields, no body,
 * the path `/`, and what happened in `X-Code` and its kin.
 */
export const asErrorPage = (pod: PodRequest, error: PodError): void => {
  const { status, request, accept, labels } = error
  let lines = `X-Code: ${status}\r\nX-Original-URI: ${request.target}\r\nX-Format: ${accept}\r\n`
  if (labels['namespace'] !== undefined) lines += `X-Namespace: ${labels['namespace']}\r\n`
  if (labels['ingress'] !== undefined) lines += `X-Ingress-Name: ${labels['ingress']}\r\n`
  if (labels['service'] !== undefined) lines += `X-Service-Name: ${labels['service']}\r\n`
  if (labels['port'] !== undefined) lines += `X-Service-Port: ${labels['port']}\r\n`
  pod.method = request.method === 'HEAD' ? 'HEAD' : 'GET'
  pod.target = '/'
  pod.fields += lines
  pod.contentLength = -1
  pod.chunked = false
  pod.upgrade = false
}
