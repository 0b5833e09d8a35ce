import { describe, expect, it } from 'vitest'
import { PROXY_MODES } from '../proxy/index.ts'
import { type ClusterFlags, defaultDataDir, type Privileges, resolveOptions } from './options.ts'

const root: Privileges = { home: '/root', stateHome: undefined, isRoot: true, network: { kind: 'netns' }, firstBindablePort: 0 }
const user: Privileges = {
  home: '/home/ada',
  stateHome: undefined,
  isRoot: false,
  network: { kind: 'loopback', reason: 'not root' },
  firstBindablePort: 1024,
}

describe('resolveOptions', () => {
  it('gives root a routed network, with the node at the first pod address', () => {
    expect(resolveOptions({}, root)).toMatchObject({
      dataDir: '/var/lib/fairway',
      serviceCidrs: ['10.96.0.0/16'],
      podCidr: '10.244.0.0/24',
      nodeAddress: '10.244.0.1',
      ingress: { address: '127.0.0.1', httpPort: 80, httpsPort: 443 },
    })
  })

  it('gives an ordinary user everything in the loopback range', () => {
    expect(resolveOptions({}, user)).toMatchObject({
      dataDir: '/home/ada/.local/state/fairway',
      serviceCidrs: ['127.96.0.0/16'],
      podCidr: '127.244.0.0/24',
      nodeAddress: '127.0.0.1',
    })
  })

  it.each<[ClusterFlags, Privileges, RegExp]>([
    [{ proxyMode: 'magic' }, root, /--proxy-mode: "magic" is not one of auto, nftables, iptables, ipvs, ebpf, userspace$/],
    [{ serviceCidr: '10.96.0.0' }, root, /--service-cidr: "10.96.0.0" is not a CIDR/],
    [{ serviceCidr: '10.244.0.0/16' }, root, /overlap/],
    [{ loadBalancerCidr: '10.96.7.0/24' }, root, /--service-cidr .* and --load-balancer-cidr .* overlap/],
    [{ loadBalancerCidr: '10.1.0.0/24' }, user, /--load-balancer-cidr .* must lie in 127/],
    [{ serviceCidr: '10.96.0.0/16' }, user, /--service-cidr 10.96.0.0\/16: .*\(not root\).* must lie in 127.0.0.0\/8/],
    [{ podCidr: '10.0.0.0/24' }, user, /--pod-cidr 10.0.0.0\/24/],
    [{ ingressAddress: 'everywhere' }, root, /--ingress-address/],
    [{ nodeName: 'Ada' }, root, /--node-name/],
    [{ acmeServer: 'http://a.example' }, root, /--acme-server: "http:\/\/a.example" is not an https URL/],
    [{ acmeServer: 'https://a.example' }, root, /--acme-server: needs --acme-agree-tos/],
    [{ acmeEmail: 'us@example.com' }, root, /--acme-server: is needed/],
  ])('names the flag that is wrong: %j', (flags, privileges, message) => {
    expect(() => resolveOptions(flags, privileges)).toThrow(message)
  })

  it('knows every mode of the proxy, and takes the best unless told', () => {
    expect(PROXY_MODES.map((proxyMode) => resolveOptions({ proxyMode }, root).proxyMode)).toEqual(PROXY_MODES)
    expect(resolveOptions({}, root).proxyMode).toBe('auto')
  })
})

describe('defaultDataDir', () => {
  it('honours XDG_STATE_HOME', () => {
    expect(defaultDataDir({ ...user, stateHome: '/x' })).toBe('/x/fairway')
  })
})
