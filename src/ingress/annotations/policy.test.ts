import { describe, expect, it } from 'vitest'
import type { RoutePolicy } from '../../l7/table/index.ts'
import { findingsFor, policyFor, settingsFor } from './testing/index.ts'

type Annotations = Readonly<Record<string, string>>
const users = { auth: 'ann:$2y$05$abcdefghijklmnopqrstuv\n# comment\nbob:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n' }
const secrets = { users, map: { ann: '$apr1$abcdefgh$0123456789' }, plain: { auth: 'ann:hunter2' }, empty: {} }
const objects = {
  secrets,
  configMaps: { headers: { 'X-A': '1', 'x-b': 'two' }, bad: { Host: 'x', 'X-C': 'a\r\nb', 'X-D': 'd' } },
}

describe('a policy', () => {
  it.each<[string, Annotations, RoutePolicy]>([
    ['of nothing is empty', {}, {}],
    [
      'redirects for good',
      { 'permanent-redirect': 'https://b.io', 'permanent-redirect-code': '308' },
      { redirects: [{ status: 308, when: 'always', to: ['https://b.io'] }] },
    ],
    [
      'redirects for a while before for good',
      { 'permanent-redirect': 'https://b.io', 'temporal-redirect': 'https://c.io' },
      { redirects: [{ status: 302, when: 'always', to: ['https://c.io'] }] },
    ],
    [
      'leads to https where there is a certificate',
      { 'ssl-redirect': 'true' },
      { redirects: [{ status: 308, when: 'plain-http', to: ['https://', { of: 'host' }, { of: 'requestUri' }] }] },
    ],
    [
      'leads to https before elsewhere',
      { 'force-ssl-redirect': 'true', 'permanent-redirect': '/x' },
      {
        redirects: [
          { status: 308, when: 'plain-http', to: ['https://', { of: 'host' }, { of: 'requestUri' }] },
          { status: 301, when: 'always', to: ['/x'] },
        ],
      },
    ],
    [
      'rewrites and says what was cut off',
      { 'rewrite-target': '/$2', 'x-forwarded-prefix': '/api', 'upstream-vhost': 'in.svc' },
      {
        rewrite: ['/', { of: 'capture', index: 2 }],
        requestFields: { set: [['x-forwarded-prefix', ['/api']]] },
        upstreamHost: ['in.svc'],
      },
    ],
    ['says no prefix without a rewrite', { 'x-forwarded-prefix': '/api' }, {}],
    ['times', { 'proxy-read-timeout': '7', 'proxy-connect-timeout': '2' }, { timeouts: { readMs: 7_000, connectMs: 2_000 } }],
    ['never retries', { 'proxy-next-upstream': 'off' }, { retry: { on: [], tries: 1, timeoutMs: 0 } }],
    [
      'retries as nginx when only the number is given',
      { 'proxy-next-upstream-tries': '2', 'proxy-next-upstream-timeout': '9' },
      { retry: { on: ['connect', 'error', 'timeout'], tries: 2, timeoutMs: 9_000 } },
    ],
    ['limits bodies', { 'proxy-body-size': '0', 'proxy-request-buffering': 'on' }, { maxBodyBytes: 0, bufferRequest: true }],
    ['does not mind buffers', { 'proxy-buffering': 'off', 'proxy-buffer-size': '8k' }, {}],
    [
      'lets some in',
      { 'whitelist-source-range': '10.0.0.0/8', 'denylist-source-range': '10.1.0.0/16', satisfy: 'any' },
      { access: { allow: ['10.0.0.0/8'], deny: ['10.1.0.0/16'] }, satisfy: 'any' },
    ],
    [
      'limits rates',
      { 'limit-rps': '5', 'limit-connections': '2', 'limit-whitelist': '10.0.0.1', 'limit-rate': '2', 'limit-rate-after': '1' },
      {
        limits: {
          key: 'default/w',
          requestsPerSecond: 5,
          connections: 2,
          burstMultiplier: 5,
          exempt: ['10.0.0.1/32'],
          status: 429,
        },
      },
    ],
    [
      'lets other origins in',
      { 'enable-cors': 'true', 'cors-allow-origin': 'https://b.io', 'cors-allow-credentials': 'false' },
      {
        cors: {
          origins: ['https://b.io'],
          methods: 'GET, PUT, POST, DELETE, PATCH, OPTIONS',
          headers: 'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization',
          allowCredentials: false,
          maxAgeSeconds: 1_728_000,
        },
      },
    ],
    ['lets none in that were not asked for', { 'cors-allow-origin': '*' }, {}],
    [
      'sticks',
      { affinity: 'cookie', 'session-cookie-name': 'r', 'session-cookie-max-age': '60', 'session-cookie-samesite': 'Lax' },
      { sticky: { name: 'r', mode: 'balanced', path: '/', sameSite: 'Lax', maxAgeSeconds: 60 } },
    ],
    [
      'replaces errors',
      { 'custom-http-errors': '503,404,503', 'default-backend': 'errors' },
      { errorPages: { statuses: [404, 503], backend: 'errors', labels: {} } },
    ],
    ['replaces no errors without a backend for them', { 'custom-http-errors': '404' }, {}],
    [
      'replaces no errors when told not to',
      { 'custom-http-errors': '404', 'default-backend': 'errors', 'disable-proxy-intercept-errors': 'true' },
      {},
    ],
    [
      'hashes',
      { 'upstream-hash-by': '$remote_addr', 'upstream-hash-by-subset': 'true' },
      { hashBy: { key: [{ of: 'clientAddress' }], subset: 3 } },
    ],
    [
      'mirrors',
      { 'mirror-target': 'http://m.io:81', 'mirror-host': 'm', 'mirror-request-body': 'off' },
      {
        mirror: { target: { scheme: 'http', host: 'm.io', port: 81 }, path: [{ of: 'requestUri' }], host: 'm', withBody: false },
      },
    ],
    [
      'renames what pods say',
      { 'proxy-cookie-path': '/a /b', 'proxy-redirect-from': 'http://in/', 'proxy-redirect-to': '/' },
      { cookieRewrite: { path: [{ from: '/a', to: '/b' }] }, locationRewrite: { from: 'http://in/', to: '/' } },
    ],
    [
      'says nothing in the log',
      { 'enable-access-log': 'false', 'enable-opentelemetry': 'false' },
      { accessLog: false, tracing: false },
    ],
    [
      'asks for a password',
      { 'auth-type': 'basic', 'auth-secret': 'users', 'auth-realm': 'x' },
      {
        basicAuth: {
          realm: 'x',
          users: new Map([
            ['ann', '$2y$05$abcdefghijklmnopqrstuv'],
            ['bob', '{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs='],
          ]),
        },
      },
    ],
    [
      'asks for a password of a map',
      { 'auth-type': 'basic', 'auth-secret': 'default/map', 'auth-secret-type': 'auth-map' },
      { basicAuth: { realm: 'Authentication Required', users: new Map([['ann', '$apr1$abcdefgh$0123456789']]) } },
    ],
    [
      'asks another server',
      {
        'auth-url': 'http://auth.svc/check',
        'auth-signin': 'https://login.io',
        'auth-response-headers': 'X-User',
        'auth-proxy-set-headers': 'headers',
        'auth-cache-key': '$cookie_s',
        'auth-snippet': 'proxy_set_header X-S "s";',
      },
      {
        externalAuth: {
          target: { scheme: 'http', host: 'auth.svc', port: 80 },
          path: ['/check'],
          method: 'GET',
          signin: ['https://login.io', '?rd=', { of: 'escapedUrl' }],
          responseFields: ['x-user'],
          requestFields: {
            set: [
              ['x-a', ['1']],
              ['x-b', ['two']],
              ['x-s', ['s']],
            ],
          },
          cache: { key: [{ of: 'cookie', name: 's' }], durations: [{ statuses: [200, 202, 401], ms: 300_000 }] },
          timeoutMs: 60_000,
        },
      },
    ],
    [
      'asks at the host of the route itself',
      { 'auth-url': 'https://$host/auth', 'auth-signin': 'https://$host/in?rd=$escaped_request_uri' },
      {
        externalAuth: {
          target: { scheme: 'https', host: 'a.io', port: 443 },
          path: ['/auth'],
          method: 'GET',
          signin: ['https://', { of: 'host' }, '/in?rd=', { of: 'escapedRequestUri' }],
          responseFields: [],
          timeoutMs: 60_000,
        },
      },
    ],
    [
      'adds headers of a ConfigMap',
      { 'custom-headers': 'headers' },
      {
        responseFields: {
          set: [
            ['x-a', ['1']],
            ['x-b', ['two']],
          ],
        },
      },
    ],
    ['adds those headers that may be', { 'custom-headers': 'bad' }, { responseFields: { set: [['x-d', ['d']]] } }],
  ])('%s', (_, annotations, expected) => expect(policyFor(annotations, objects)).toEqual(expected))
})

describe('what guards and cannot be read', () => {
  const auth = { status: 503, reason: 'auth-unreadable' }
  const access = { status: 403, reason: 'access-unreadable' }
  it.each<[string, Annotations, object]>([
    ['a Secret that is not there', { 'auth-type': 'basic', 'auth-secret': 'gone' }, auth],
    ['a Secret without users', { 'auth-type': 'basic', 'auth-secret': 'empty' }, auth],
    ['users in plain text', { 'auth-type': 'basic', 'auth-secret': 'plain' }, auth],
    ['a Secret of another namespace', { 'auth-type': 'basic', 'auth-secret': 'other/users' }, auth],
    ['a Secret without a type', { 'auth-secret': 'users' }, auth],
    ['a type without a Secret', { 'auth-type': 'basic' }, auth],
    ['another type', { 'auth-type': 'digest', 'auth-secret': 'users' }, auth],
    ['a URL', { 'auth-url': 'nowhere' }, auth],
    ['a URL at any host', { 'auth-url': 'http://$http_x/' }, auth],
    ['a method', { 'auth-url': 'http://auth.svc/', 'auth-method': 'BREW' }, auth],
    ['a ConfigMap of fields', { 'auth-url': 'http://auth.svc/', 'auth-proxy-set-headers': 'gone' }, auth],
    ['a cache key', { 'auth-url': 'http://auth.svc/', 'auth-cache-key': '$nope' }, auth],
    ['an allow list', { 'whitelist-source-range': '10.0.0.0/8, x' }, access],
    ['an empty allow list', { 'allowlist-source-range': '' }, access],
    ['a deny list', { 'denylist-source-range': 'evil' }, access],
    ['satisfy', { satisfy: 'one' }, access],
    ['a rate', { 'limit-rps': 'fast' }, { status: 503, reason: 'limits-unreadable' }],
    ['those who are not limited', { 'limit-whitelist': 'me' }, { status: 503, reason: 'limits-unreadable' }],
    ['authorities', { 'auth-tls-secret': 'gone' }, { status: 403, reason: 'client-certificates-unreadable' }],
    ['a subject', { 'auth-tls-match-cn': 'x' }, { status: 403, reason: 'client-certificates-unreadable' }],
    ['a snippet with deny', { 'configuration-snippet': 'deny all;\nlua_code_cache on;' }, access],
    ['a snippet with if', { 'configuration-snippet': 'if ($http_x = "") { return 403; }' }, access],
    ['a server snippet with auth', { 'server-snippet': 'auth_jwt "x";' }, access],
  ])('%s: nobody gets through', (_, annotations, refusal) => {
    expect(policyFor(annotations, objects).refusal).toEqual(refusal)
    expect(findingsFor(annotations, objects)).not.toEqual([])
  })

  it('never shows a password or its hash', () => {
    const { findings } = settingsFor({ 'auth-type': 'basic', 'auth-secret': 'plain' }, objects)
    expect(findings).not.toEqual([])
    expect(JSON.stringify(findings)).not.toContain('hunter2')
  })

  it.each<[string, string]>([
    ['proxy-body-size', 'x'],
    ['configuration-snippet', 'lua_code_cache on;'],
    ['rewrite-target', 'x'],
  ])('%s guards nothing, and closes nothing', (name, value) => expect(policyFor({ [name]: value })).toEqual({}))
})

describe('names', () => {
  it.each([
    ['ssl-redirct', 'ssl-redirect'],
    ['rewrite-targets', 'rewrite-target'],
    ['whitelist-source-ranges', 'whitelist-source-range'],
    ['cors-allow-origins', 'cors-allow-origin'],
  ])('%s is probably %s', (name, meant) => {
    const [finding] = settingsFor({ [name]: 'true' }).findings
    expect(finding).toMatchObject({ reason: 'AnnotationUnknown' })
    expect(finding?.message).toContain(`did you mean nginx.ingress.kubernetes.io/${meant}?`)
  })

  it('that are like none are told without a guess', () => {
    const [finding] = settingsFor({ 'something-completely-different': 'true' }).findings
    expect(finding?.message).not.toContain('did you mean')
  })

  it('of others are none of ours', () => expect(findingsFor({ 'haproxy.org/x': '1', 'cert-manager.io/y': '2' })).toEqual([]))

  it.each(['enable-modsecurity', 'fastcgi-index', 'stream-snippet', 'secure-backends', 'global-rate-limit'])(
    '%s is refused',
    (name) => {
      expect(findingsFor({ [name]: 'true' })).toEqual([`AnnotationRefused ${name}`])
    },
  )
})

describe('defaults', () => {
  it('of the class nginx are those of ingress-nginx', () => {
    expect(policyFor({}, { isNginx: true })).toMatchObject({
      maxBodyBytes: 1024 ** 2,
      timeouts: { connectMs: 5_000, readMs: 60_000, sendMs: 60_000 },
      retry: { on: ['connect', 'error', 'timeout'], tries: 3, timeoutMs: 0 },
      redirects: [{ status: 308, when: 'plain-http' }],
    })
  })

  it('of a ConfigMap are below annotations and above those of the class', () => {
    const defaults = { 'proxy-body-size': '8m', 'ssl-redirect': 'false', 'proxy-read-timeout': '9', 'http-redirect-code': '301' }
    const policy = policyFor({ 'proxy-read-timeout': '3' }, { isNginx: true, defaults })
    expect(policy).toMatchObject({ maxBodyBytes: 8 * 1024 ** 2, timeouts: { readMs: 3_000, connectMs: 5_000 } })
    expect(policy.redirects).toBeUndefined()
  })

  it.each<[string, Annotations, Annotations, RoutePolicy]>([
    ['the status of limits', { 'limit-req-status-code': '503' }, { 'limit-rps': '1' }, { limits: { status: 503 } as never }],
    [
      'HSTS',
      { hsts: 'true', 'hsts-max-age': '60', 'hsts-include-subdomains': 'false' },
      {},
      { responseFields: { set: [['strict-transport-security', ['max-age=60']]] } },
    ],
    [
      'who is kept out',
      { 'block-cidrs': '10.0.0.9' },
      { 'denylist-source-range': '10.0.0.8' },
      { access: { deny: ['10.0.0.8/32', '10.0.0.9/32'] } },
    ],
    ['authentication everywhere', { 'global-auth-url': 'http://auth.svc/' }, {}, { externalAuth: { method: 'GET' } as never }],
    [
      'retries of what is not safe',
      { 'retry-non-idempotent': 'true', 'proxy-next-upstream': 'error' },
      {},
      { retry: { on: ['connect', 'error', 'non-idempotent'] } as never },
    ],
    ['no log', { 'disable-access-log': 'true' }, {}, { accessLog: false }],
  ])('say %s', (_, defaults, annotations, expected) => expect(policyFor(annotations, { defaults })).toMatchObject(expected))

  it('for authentication can be left, by an Ingress or a path', () => {
    const defaults = { 'global-auth-url': 'http://auth.svc/', 'no-auth-locations': '/' }
    expect(policyFor({}, { defaults }).externalAuth).toBeUndefined()
    expect(policyFor({ 'enable-global-auth': 'false' }, { defaults: { 'global-auth-url': 'http://auth.svc/' } })).toEqual({})
  })

  it('that guard and cannot be read close everything', () => {
    expect(policyFor({}, { defaults: { 'global-auth-url': 'nowhere' } }).refusal).toBeDefined()
    expect(policyFor({}, { defaults: { 'block-cidrs': 'nowhere' } }).refusal).toBeDefined()
    expect(policyFor({}, { defaults: { 'proxy-body-size': 'nowhere' } })).toEqual({})
  })

  it('allow only some headers of ConfigMaps', () => {
    const defaults = { 'global-allowed-response-headers': 'X-A' }
    expect(policyFor({ 'custom-headers': 'headers' }, { ...objects, defaults }).responseFields).toEqual({ set: [['x-a', ['1']]] })
  })
})
