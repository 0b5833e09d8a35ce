import { describe, expect, it } from 'vitest'
import type { RoutePolicy } from '../../../l7/table/index.ts'
import { guardOfSnippet, snippet } from './snippet.ts'

const SOME = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308]

describe('a snippet of known lines becomes settings', () => {
  it.each<[string, RoutePolicy]>([
    ['', {}],
    ['# only a comment', {}],
    ['add_header X-A "1";', { responseFields: { add: [['x-a', ['1']]], statuses: SOME } }],
    ["add_header X-A '1' always;", { responseFields: { add: [['x-a', ['1']]] } }],
    ['add_header X-Id $request_id always;', { responseFields: { add: [['x-id', [{ of: 'requestId' }]]] } }],
    ['more_set_headers "X-A: 1";', { responseFields: { set: [['x-a', ['1']]] } }],
    [
      'more_set_headers "X-A: 1" "X-B: b c";',
      {
        responseFields: {
          set: [
            ['x-a', ['1']],
            ['x-b', ['b c']],
          ],
        },
      },
    ],
    ['more_set_headers "Server: ";', { responseFields: { remove: ['server'] } }],
    ['more_clear_headers Server X-Powered-By;', { responseFields: { remove: ['server', 'x-powered-by'] } }],
    ['proxy_hide_header X-Powered-By;', { responseFields: { remove: ['x-powered-by'] } }],
    ['proxy_set_header X-Real-Ip $remote_addr;', { requestFields: { set: [['x-real-ip', [{ of: 'clientAddress' }]]] } }],
    ['proxy_set_header Accept-Encoding "";', { requestFields: { remove: ['accept-encoding'] } }],
    ['proxy_set_header Host $host;', { upstreamHost: [{ of: 'host' }] }],
    ['proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection "upgrade";', {}],
    ['more_set_input_headers "X-A: 1";', { requestFields: { set: [['x-a', ['1']]] } }],
    ['return 404;', { answer: { status: 404 } }],
    ['return 200 "ok";', { answer: { status: 200, contentType: 'text/plain', body: 'ok' } }],
    [
      'return 301 https://b.io$request_uri;',
      { redirects: [{ status: 301, when: 'always', to: ['https://b.io', { of: 'requestUri' }] }] },
    ],
    ['return https://b.io;', { redirects: [{ status: 302, when: 'always', to: ['https://b.io'] }] }],
    ['expires 1h;', { responseFields: { add: [['cache-control', ['max-age=3600']]], statuses: SOME } }],
    ['expires -1;', { responseFields: { add: [['cache-control', ['no-cache']]], statuses: SOME } }],
    ['expires off;', {}],
    ['allow 10.0.0.0/8;\ndeny all;', { access: { allow: ['10.0.0.0/8'] } }],
    ['deny 10.0.0.1;\nallow 10.0.0.0/8;\ndeny all;', { access: { allow: ['10.0.0.0/8'], deny: ['10.0.0.1/32'] } }],
    ['deny 10.0.0.1;\nallow all;', { access: { deny: ['10.0.0.1/32'] } }],
    ['deny all;', { access: { deny: ['0.0.0.0/0', '::/0'] } }],
    ['client_max_body_size 50m;', { maxBodyBytes: 50 * 1024 ** 2 }],
    ['proxy_read_timeout 300s; proxy_send_timeout 5m;', { timeouts: { readMs: 300_000, sendMs: 300_000 } }],
    ['access_log off;', { accessLog: false }],
    ['proxy_buffering off; proxy_http_version 1.1; server_tokens off;', {}],
    ['proxy_cookie_path /a /b;', { cookieRewrite: { path: [{ from: '/a', to: '/b' }] } }],
    ['proxy_request_buffering on;', { bufferRequest: true }],
  ])('%j', (text, expected) => expect(snippet(text)).toEqual({ ok: true, value: expected }))
})

describe('nothing of a snippet is lifted', () => {
  it.each<[string, string]>([
    ['add_header X-A "1";\nlua_code_cache on;', 'line 2 "lua_code_cache on"'],
    ['if ($request_method = OPTIONS) { return 204; }', 'line 1 "if ($request_method = OPTIONS) {"'],
    ['location /x { }', 'line 1 "location /x {"'],
    ['rewrite ^/a /b break;', 'line 1 "rewrite ^/a /b break"'],
    ['set $x 1;', 'line 1'],
    ['proxy_pass http://evil;', 'line 1'],
    ['add_header X-A "$nope";', 'line 1'],
    ['add_header X-A "1"', 'line 1'],
    ['add_header X-A "a\\nb";', 'line 1'],
    ['add_header X-A "1" sometimes;', 'line 1'],
    ['add_header Content-Length 5;', 'line 1'],
    ['add_header "X A" 5;', 'line 1'],
    ['add_header X-A "1\r\nX-B: 2";', 'line 1'],
    ['more_set_headers -s 404 "X-A: 1";', 'line 1'],
    ['more_set_headers "X-A";', 'line 1'],
    ['more_clear_headers X-*;', 'line 1'],
    ['proxy_set_header Transfer-Encoding chunked;', 'line 1'],
    ['proxy_set_header Connection "keep-alive, te";', 'line 1'],
    ['return 444;', 'line 1'],
    ['return 200 "$request_uri";', 'line 1'],
    ['return 200 a b;', 'line 1'],
    ['return 404; return 403;', 'line 1'],
    ['return 302 $arg_to;', 'line 1'],
    ['allow 10.0.0.0/8;', '"deny all"'],
    ['allow 10.0.0.1; deny 10.0.0.0/8; allow all;', '"deny all"'],
    ['deny all; allow 10.0.0.1;', '"deny all"'],
    ['deny example.com;', 'line 1'],
    ['add_header X-A 1; add_header X-B 2 always;', 'without always'],
    ['access_log /tmp/x;', 'line 1'],
    ['}', 'line 1'],
    ['"unclosed', 'closed quotes'],
    ['include /etc/passwd;', 'line 1'],
    ['ssl_engine /lib/evil.so;', 'line 1'],
    ['x'.repeat(20_000), 'not that long'],
  ])('%j', (text, why) => {
    const reading = snippet(text)
    expect(reading.ok).toBe(false)
    expect(reading.ok ? '' : reading.why).toContain(why)
  })
})

it.each([
  ['deny all;', 'access'],
  ['satisfy any;', 'access'],
  ['auth_basic "x";', 'access'],
  ['limit_req zone=x;', 'access'],
  ['if ($a) { return 403; }', 'access'],
  ['lua_code_cache on;', undefined],
  ['sub_filter "a\\.b" c;', undefined],
  ['sub_filter "a; deny all;', 'access'],
  ['sub_filter a b;', undefined],
])('guardOfSnippet %j', (text, guard) => expect(guardOfSnippet(text)).toBe(guard))
