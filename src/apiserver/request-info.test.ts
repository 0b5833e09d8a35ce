import { describe, expect, test } from 'vitest'
import { requestInfo } from './request-info.ts'

describe('request info', () => {
  test.each([
    ['GET', '/api/v1/pods', { verb: 'list', group: '', version: 'v1', resource: 'pods' }],
    ['GET', '/api/v1/pods?watch=true', { verb: 'watch', resource: 'pods' }],
    ['GET', '/api/v1/pods?watch=0', { verb: 'list' }],
    ['GET', '/api/v1/namespaces/default/pods/web', { verb: 'get', namespace: 'default', resource: 'pods', name: 'web' }],
    ['GET', '/api/v1/namespaces/default/pods/web/log', { subresource: 'log', name: 'web' }],
    ['GET', '/api/v1/namespaces/default', { verb: 'get', resource: 'namespaces', name: 'default' }],
    ['GET', '/api/v1/namespaces', { verb: 'list', resource: 'namespaces' }],
    ['PUT', '/api/v1/namespaces/default/finalize', { resource: 'namespaces', name: 'default', subresource: 'finalize' }],
    ['PUT', '/api/v1/namespaces/default/status', { resource: 'namespaces', name: 'default', subresource: 'status' }],
    ['GET', '/api/v1/namespaces/default/status/x', { namespace: 'default', resource: 'status', name: 'x' }],
    [
      'POST',
      '/apis/apps/v1/namespaces/a/deployments',
      { verb: 'create', group: 'apps', namespace: 'a', resource: 'deployments' },
    ],
    ['DELETE', '/apis/apps/v1/namespaces/a/deployments', { verb: 'deletecollection' }],
    ['DELETE', '/apis/apps/v1/namespaces/a/deployments/x', { verb: 'delete', name: 'x' }],
    ['PATCH', '/apis/apps/v1/namespaces/a/deployments/x/scale', { verb: 'patch', subresource: 'scale' }],
    ['GET', '/apis/networking.k8s.io/v1/ipaddresses/2001:db8::1', { name: '2001:db8::1' }],
    ['GET', '/api/v1/pods/', { verb: 'list', resource: 'pods' }],
    ['GET', '/api/v1/namespaces/a%20b/pods', { namespace: 'a b' }],
  ])('%s %s', (method, url, wanted) => {
    expect(requestInfo(method, url)).toMatchObject({ kind: 'resource', ...wanted })
  })

  test.each(['/', '/api', '/api/v1', '/apis', '/apis/apps', '/apis/apps/v1', '/healthz', '/openapi/v3/api/v1', '/api/v1//pods'])(
    '%s is no resource',
    (url) => {
      expect(requestInfo('GET', url)).toMatchObject({ kind: 'path', verb: 'get' })
    },
  )

  test('a name that hides in the prototype is only a name', () => {
    const { query } = requestInfo('GET', '/api/v1/pods?__proto__=1&constructor=2&limit=5&limit=6')
    expect({ ...query }).toEqual({ ['__proto__']: '1', constructor: '2', limit: '5' })
    expect(requestInfo('GET', '/api/v1/pods').query['constructor']).toBeUndefined()
  })

  test('a broken escape is refused', () => {
    expect(() => requestInfo('GET', '/api/v1/pods/%zz')).toThrow('invalid escape')
  })
})
