import { describe, expect, it } from 'vitest'
import type { Kind, KubeObject } from '../index.ts'
import { scheme, validateObjectMeta } from '../index.ts'
import { deployment, endpointSlice, ingress, namespace, node, pod, replicaSet, service } from './index.ts'

const kindOf = (object: KubeObject): Kind => scheme.find((kind) => kind.kind === object.kind)!

describe('builders', () => {
  it.each<KubeObject>([
    service('web').port(80, 'http').port(53, 'dns', { protocol: 'UDP' }).clusterIP('10.96.0.10').build(),
    service('web').port(80).headless().build(),
    service('web').port(80, undefined, { nodePort: 30080 }).nodePort().build(),
    service('web').port(80).loadBalancer('192.0.2.1').externalTrafficPolicy('Local').build(),
    service('web').externalName('example.com').build(),
    service('web').port(80).clientIPAffinity().externalIPs('192.0.2.7').namespace('shop').build(),
    pod('web-1').labels({ app: 'web' }).port(8080, 'http').node('n1').ip('10.0.0.1').build(),
    endpointSlice('web')
      .port(8080, 'http')
      .endpoint('10.0.0.1', { node: 'n1', zone: 'a', pod: 'web-1', forZones: ['a'] })
      .build(),
    endpointSlice('web').endpoints('2001:db8::1', '2001:db8::2').build(),
    ingress('shop')
      .host('web.ilinux.io', { '/': 'web:80', '/api': 'api:http' })
      .tls('web-tls', 'web.ilinux.io')
      .className('fairway')
      .build(),
    ingress('shop').defaultBackend('web:80').build(),
    node('n1').ip('192.0.2.1').zone('a').podCIDR('10.1.0.0/24').build(),
    namespace('shop').build(),
    deployment('web').replicas(3).image('fairway/web').port(8080, 'http').build(),
    replicaSet('web').replicas(3).build(),
  ])('make valid objects (%#)', (object) => {
    const kind = kindOf(object)
    expect(validateObjectMeta(object.metadata, kind)).toEqual([])
    expect(kind.validate(object)).toEqual([])
  })

  it('share a beginning without sharing changes', () => {
    const web = service('web').port(80)
    const other = web.port(81, 'x')
    expect(web.build().spec.ports).toHaveLength(1)
    expect(other.build().spec.ports).toHaveLength(2)
  })
})
