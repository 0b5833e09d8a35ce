import type { Annotation } from '../annotation.ts'
import type { Parser } from '../grammar/reading.ts'
import { authSnippet, guardOfSnippet, snippet } from '../snippets/snippet.ts'

const LIFTED = 'lifted into settings, since it consists of known lines alone; any other text is refused whole'

const lifted = <T>(parse: Parser<T>, note: string): Annotation<T> => ({
  parse,
  treatment: 'differs',
  note,
  refusesBad: true,
  guardOf: guardOfSnippet,
})

export const snippetAnnotations = {
  'configuration-snippet': lifted(snippet, LIFTED),
  'server-snippet': lifted(snippet, `${LIFTED}; for the routes of this Ingress, not for the whole host`),
  'auth-snippet': lifted(authSnippet, `${LIFTED} (proxy_set_header)`),
} as const
