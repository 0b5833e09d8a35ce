import type { Redirect } from '../table/index.ts'
import type { Answer, RequestView } from './contract.ts'
import { locationText } from './redirect-target.ts'

const ACME = '/.well-known/acme-challenge/'

/** The answer of the first redirect that applies. */
export const compileRedirects = (redirects: readonly Redirect[]): ((request: RequestView) => Answer | undefined) => {
  const compiled = redirects.map((redirect) => ({ ...redirect, location: locationText(redirect.to) }))
  return (request) => {
    for (const { when, status, location } of compiled) {
      if (when === 'always' || isPlainHttp(request)) return redirectTo(status, location(request), 'redirect')
    }
    return undefined
  }
}

const isPlainHttp = (request: RequestView): boolean => !request.isSecure && !request.path.startsWith(ACME)

/** `location` is safe already. */
const redirectTo = (status: number, location: string, reason: string): Answer => ({
  status,
  reason,
  fields: `Location: ${location}\r\n`,
  body: `${status}: see ${location}\n`,
  contentType: 'text/plain; charset=utf-8',
})
