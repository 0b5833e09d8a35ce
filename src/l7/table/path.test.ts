import { describe, expect, it } from 'vitest'
import { canonicalHost } from './host.ts'
import { canonicalPath } from './path.ts'

describe('canonicalPath', () => {
  it.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a/b/', '/a/b/'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/..', '/'],
    ['/a/b/..', '/a/'],
    ['/a/b/.', '/a/b/'],
    ['/a//b', '/a/b'],
    ['//a', '/a'],
    ['/%61', '/a'],
    ['/%2e%2e/a', undefined],
    ['/a/%2e%2e/b', '/b'],
    ['/a/%2E/b', '/a/b'],
    ['/..', undefined],
    ['/a/../../b', undefined],
    ['/a%2fb', '/a%2Fb'],
    ['/a/..%2fb', undefined],
    ['/a/%2e%2e%2fb', undefined],
    ['/a/..%5cb', undefined],
    ['/a%2f..', undefined],
    ['/a;v=1/b', '/a;v=1/b'],
    ['/..;/a', '/..;/a'],
    ['/%00', undefined],
    ['/%', undefined],
    ['/%4', undefined],
    ['/%zz', undefined],
    ['/a\\b', undefined],
    ['/caf%c3%a9', '/caf%C3%A9'],
    ['/.well-known/x', '/.well-known/x'],
    ['/...', '/...'],
    ['a', undefined],
    ['', undefined],
  ])('turns %s into %s', (path, canonical) => expect(canonicalPath(path)).toBe(canonical))

  it.each(['/a/%2e./b', '/%2E%2e/x', '/a//..//b/.', '/%41%2f%42;x'])('is stable: %s', (path) => {
    const once = canonicalPath(path)
    expect(once === undefined ? undefined : canonicalPath(once)).toBe(once)
  })
})

describe('canonicalHost', () => {
  it.each([
    ['Foo.Example.COM', 'foo.example.com'],
    ['foo.example.com:8080', 'foo.example.com'],
    ['foo.example.com.', 'foo.example.com'],
    ['foo.example.com.:80', 'foo.example.com'],
    ['foo_bar.example.com', 'foo_bar.example.com'],
    ['127.0.0.1:80', '127.0.0.1'],
    ['[2001:DB8::1]:443', '[2001:db8::1]'],
    ['', undefined],
    ['.', undefined],
    ['a..b', undefined],
    ['user@host', undefined],
    ['host:', undefined],
    ['host:99999', undefined],
    ['host:80:80', undefined],
    ['host/path', undefined],
    ['a b', undefined],
    ['a,b', undefined],
    ['[::1', undefined],
    ['x'.repeat(300), undefined],
    ['__proto__', '__proto__'],
  ])('turns %s into %s', (authority, host) => {
    expect(canonicalHost(authority)).toBe(host)
    expect(canonicalHost(authority)).toBe(host)
  })
})
