import type { Exec } from '../../src/host/index.ts'
import { type Forwarding, type NodeView, type Packet, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice } from '../../src/model/testing/index.ts'

/** Of both families: those of the lab's plans. */
export const SERVICE_CIDRS = ['10.96.0.0/16', 'fd00:96::/112']

/** Service `web` with these pods behind it, of 30 s affinity. */
export const stickyWeb = (node: NodeView, pods: readonly string[]): Forwarding => {
  const object = service('web', {
    clusterIP: '10.96.0.10',
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 30 } },
    ports: [port(80)],
  })
  const endpoints = pods.map((address) => endpoint(address, { nodeName: 'n1' }))
  const meaning = serviceForwarding({ service: object, slices: [slice('web', endpoints)], node }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}

/** From the lab's client outside. */
export const toWeb: Packet = {
  source: { class: 'outside', address: '198.51.100.9' },
  destination: { address: '10.96.0.10', port: 80 },
  protocol: 'TCP',
}

/** The lock of iptables' legacy flavour is one for all network namespaces: a test file has its own. */
export const LOCK = `/run/fairway-test-${process.pid}.lock`
export const withOwnLock =
  (exec: Exec): Exec =>
  (argv, options) =>
    exec(argv, { ...options, env: { ...options?.env, XTABLES_LOCKFILE: LOCK } })
