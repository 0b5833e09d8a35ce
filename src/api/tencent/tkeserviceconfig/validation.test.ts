import { describe, expect, it } from 'vitest'
import { problemsOf } from '../../testing/index.ts'
import { tkeServiceConfigKind } from './kind.ts'

const check = (loadBalancer: object): readonly string[] =>
  problemsOf(tkeServiceConfigKind, {
    apiVersion: 'cloud.tencent.com/v1alpha1',
    kind: 'TkeServiceConfig',
    metadata: { name: 'web', namespace: 'default' },
    spec: { loadBalancer },
  })

describe('TkeServiceConfig', () => {
  it.each<[string, object, string[]]>([
    ['nothing', {}, []],
    [
      'a whole layer 4 listener',
      {
        l4Listeners: [
          {
            protocol: 'TCP',
            port: 80,
            session: { enable: true, sessionExpireTime: 30 },
            healthCheck: { enable: true, intervalTime: 10, timeout: 5, healthNum: 3, unHealthNum: 3 },
            scheduler: 'LEAST_CONN',
          },
        ],
      },
      [],
    ],
    ['no port', { l4Listeners: [{ protocol: 'TCP' }] }, ['spec.loadBalancer.l4Listeners[0].port: Required']],
    [
      'a port twice',
      {
        l4Listeners: [
          { protocol: 'TCP', port: 1 },
          { protocol: 'TCP', port: 1 },
        ],
      },
      ['spec.loadBalancer.l4Listeners[1]: Duplicate'],
    ],
    [
      'a session that is too short',
      { l4Listeners: [{ protocol: 'TCP', port: 1, session: { sessionExpireTime: 5 } }] },
      ['spec.loadBalancer.l4Listeners[0].session.sessionExpireTime: Invalid must be from 30 to 3600'],
    ],
    [
      'a timeout above the interval',
      { l4Listeners: [{ protocol: 'UDP', port: 1, healthCheck: { timeout: 10, intervalTime: 5 } }] },
      ['spec.loadBalancer.l4Listeners[0].healthCheck.timeout: Invalid must not be above intervalTime'],
    ],
    [
      'a wildcard without a domain to ask for',
      { l7Listeners: [{ protocol: 'HTTPS', port: 443, domains: [{ domain: '*.a.b', rules: [{ url: '/', healthCheck: {} }] }] }] },
      [
        'spec.loadBalancer.l7Listeners[0].domains[0].rules[0].healthCheck.httpCheckDomain: Required a wildcard domain cannot be asked for',
      ],
    ],
  ])('%s', (_title, loadBalancer, problems) => {
    expect(check(loadBalancer)).toEqual(problems)
  })
})
