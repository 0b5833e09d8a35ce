import type { AccessPolicy, RoutePolicy } from '../../../l7/table/index.ts'
import type { Guard } from '../annotation.ts'
import { is, isNot, type Parser, type Reading, shown } from '../grammar/reading.ts'
import { DIRECTIVES, type Lifted, newLifted } from './directives.ts'
import { type Statement, statementsOf } from './statements.ts'

/** For these statuses nginx adds a header without `always`. */
const SOME_STATUSES = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308]
const NAMED_LINES = 8

/**
 * Raw nginx text as typed settings, when it consists of nothing but lines that have one; else nothing of it: half a snippet may mean the
 * opposite of the whole. Says which lines are in the way.
 */
export const snippet: Parser<RoutePolicy> = (text) => {
  const statements = statementsOf(text)
  if (statements === undefined) return isNot('made of known lines alone, with closed quotes, and not that long')
  const lifted = newLifted()
  const strange = statements.filter((statement) => !lift(lifted, statement))
  if (strange.length > 0)
    return isNot(`made of known lines alone; these are not: ${strange.slice(0, NAMED_LINES).map(named).join(', ')}`)
  return policyOf(lifted)
}

/** Of an auth-snippet: fields for the question. */
export const authSnippet: Parser<NonNullable<RoutePolicy['requestFields']>> = (text) => {
  const reading = snippet(text)
  if (!reading.ok) return reading
  const { requestFields, ...others } = reading.value
  return Object.keys(others).length === 0 ? is(requestFields ?? {}) : isNot('made of proxy_set_header alone')
}

const GUARDS =
  /^(?:allow|deny|satisfy|auth_[a-z_]+|limit_[a-z_]+|ssl_verify[a-z_]*|ssl_client[a-z_]*|access_by_lua[a-z_]*|if|return)$/

/** What a snippet that is not lifted may have protected. `if` and `return` are how people refuse by hand. */
export const guardOfSnippet = (text: string): Guard | undefined => {
  const statements = statementsOf(text)
  if (statements === undefined) return 'access'
  return statements.some(({ words }) => GUARDS.test(words[0] ?? '')) ? 'access' : undefined
}

const lift = (into: Lifted, { words: [name = '', ...args], isStrange }: Statement): boolean =>
  !isStrange && DIRECTIVES.get(name)?.(into, args) === true

const named = ({ words, line, isStrange }: Statement): string => {
  const text = words.join(' ')
  return `line ${line} ${shown(text === '' ? '}' : isStrange ? `${text} {` : text)}`
}

const policyOf = (lifted: Lifted): Reading<RoutePolicy> => {
  const { addSome, add, set, remove, requestSet, requestRemove, cookieDomain, cookiePath } = lifted
  if (addSome.length > 0 && add.length + set.length > 0)
    return isNot(
      'made of known lines alone: add_header without always does not go together with always, or with more_set_headers',
    )
  const access = accessOf(lifted.access)
  if (!access.ok) return access
  return is({
    ...lifted.policy,
    ...(requestSet.length + requestRemove.length > 0 && {
      requestFields: {
        ...(requestSet.length > 0 && { set: requestSet }),
        ...(requestRemove.length > 0 && { remove: requestRemove }),
      },
    }),
    ...(addSome.length + add.length + set.length + remove.length > 0 && {
      responseFields: {
        ...(set.length > 0 && { set }),
        ...(addSome.length + add.length > 0 && { add: [...addSome, ...add] }),
        ...(remove.length > 0 && { remove }),
        ...(addSome.length > 0 && { statuses: SOME_STATUSES }),
      },
    }),
    ...(access.value && { access: access.value }),
    ...(cookieDomain.length + cookiePath.length > 0 && {
      cookieRewrite: {
        ...(cookieDomain.length > 0 && { domain: cookieDomain }),
        ...(cookiePath.length > 0 && { path: cookiePath }),
      },
    }),
  })
}

const EVERYBODY = ['0.0.0.0/0', '::/0']

/** nginx takes the first line that matches; we can say: some refused, then some let in, then all refused or all let in. */
const accessOf = (lines: Lifted['access']): Reading<AccessPolicy | undefined> => {
  if (lines.length === 0) return is(undefined)
  const last = lines.at(-1)
  const isClosed = last?.range === 'all' && !last.allows
  const open = last?.range === 'all' ? lines.slice(0, -1) : lines
  const firstAllow = open.findIndex(({ allows }) => allows)
  const deny = (firstAllow < 0 ? open : open.slice(0, firstAllow)).map(({ range }) => range)
  const allow = firstAllow < 0 ? [] : open.slice(firstAllow).map(({ range }) => range)
  const isOrdered = firstAllow < 0 || open.slice(firstAllow).every(({ allows }) => allows)
  if (!isOrdered || open.some(({ range }) => range === 'all') || (allow.length > 0 && !isClosed))
    return isNot('made of known lines alone: allow and deny must be deny lines, then allow lines, then "deny all"')
  if (isClosed && allow.length === 0) return is({ deny: EVERYBODY })
  return is({ ...(allow.length > 0 && { allow }), ...(deny.length > 0 && { deny }) })
}
