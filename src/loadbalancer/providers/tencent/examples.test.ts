import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type Service, scheme, serviceKind, type TkeServiceConfig } from '../../../api/index.ts'
import { decoded, problemsOf } from '../../../api/testing/index.ts'
import { desiredLoadBalancer } from '../../desired.ts'
import type { Owner } from '../../provider.ts'
import { startTestCloud, type TestCloud } from './testing/cloud.ts'
import { endpoint, node } from './testing/owners.ts'
import { createRig } from './testing/rig.ts'

const FOLDER = fileURLToPath(new URL('../../../../examples/tke/', import.meta.url))
const NEVER = new AbortController().signal

interface Raw {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
}

const documents = (file: string): readonly Raw[] =>
  parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8')).map((each) => each.toJS() as Raw)

/** As the API server stores it: with node ports and a uid. */
const stored = (body: Raw): Service => {
  const service = decoded(serviceKind, { ...body, metadata: { ...body.metadata, namespace: 'default' } })
  const hasNodePorts = service.spec.allocateLoadBalancerNodePorts !== false
  const ports = (service.spec.ports ?? []).map((port) =>
    hasNodePorts ? { ...port, nodePort: 30_000 + (port.port % 1_000) } : port,
  )
  return { ...service, metadata: { ...service.metadata, uid: `uid-${body.metadata.name}` }, spec: { ...service.spec, ports } }
}

const PODS: Readonly<Record<string, readonly string[]>> = {
  'direct-access': ['127.0.0.1:5432 ready pod=db-0', '127.0.0.2:5432 ready pod=db-1', '127.0.0.3:5432 ready pod=db-2'],
  local: ['127.0.0.1:8080 ready node=n1', '127.0.0.2:8080 ready node=n1'],
}

const ownerOf = (service: Service): Owner => {
  const [owner] = desiredLoadBalancer({
    key: '',
    token: '',
    clusterId: '',
    owners: [{ service, state: 'wanted', slices: [] }],
    nodes: [],
  }).owners
  if (owner === undefined) throw new Error('no owner')
  const endpoints = (PODS[owner.name] ?? []).map(endpoint)
  return { ...owner, listeners: owner.listeners.map((each) => ({ ...each, endpoints })) }
}

let cloud: TestCloud
let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fairway-certificate-'))
  const [key, chain] = [join(dir, 'key'), join(dir, 'chain')]
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=example.com',
      '-keyout',
      key,
      '-out',
      chain,
    ],
    { stdio: 'ignore' },
  )
  cloud = await startTestCloud({
    certificates: [{ id: '0a1b2c3d', chain: readFileSync(chain, 'utf8'), key: readFileSync(key, 'utf8') }],
  })
})
afterEach(async () => {
  await cloud.close()
  await rm(dir, { recursive: true })
})

const described = async (): Promise<readonly string[]> => {
  const lines: string[] = []
  for (const { id, type, securityGroups, passToTarget } of await cloud.api.describeLoadBalancers({}, NEVER)) {
    lines.push([type, ...securityGroups, ...(passToTarget ? ['pass-to-target'] : [])].join(' '))
    for (const { protocol, port, targets, rules, settings } of await cloud.api.describeListeners(id, NEVER)) {
      const more = settings.sessionSeconds ? ` session ${settings.sessionSeconds}s ${settings.scheduler}` : ''
      lines.push(`${protocol} ${port}${more}${targets.map((each) => ` ${each.id}:${each.port}*${each.weight}`).join('')}`)
      for (const rule of rules)
        lines.push(
          `${protocol} ${port} ${rule.domain} ${rule.certificates.join()}${rule.targets.map((each) => ` ${each.id}:${each.port}*${each.weight}`).join('')}`,
        )
    }
  }
  return lines
}

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'public.yaml': ['OPEN', 'TCP 80 127.0.1.1:30080*10 127.0.1.2:30080*10'],
  'internal.yaml': ['INTERNAL', 'TCP 80 127.0.1.1:30080*10 127.0.1.2:30080*10'],
  'node-port.yaml': [],
  'cluster-ip.yaml': [],
  'existing.yaml': ['OPEN', 'TCP 80 127.0.1.1:30080*10 127.0.1.2:30080*10', 'UDP 53 127.0.1.1:30053*10 127.0.1.2:30053*10'],
  'direct-access.yaml': ['OPEN', 'TCP 5432 127.0.0.1:5432*5 127.0.0.2:5432*20 127.0.0.3:5432*0'],
  'local.yaml': ['OPEN', 'TCP 80 127.0.1.1:30080*2'],
  'protocols.yaml': [
    'OPEN',
    'HTTPS 443',
    'HTTPS 443 shop.example.com 0a1b2c3d 127.0.1.1:30443*10 127.0.1.2:30443*10',
    'HTTPS 443 api.example.com 0a1b2c3d 127.0.1.1:30443*10 127.0.1.2:30443*10',
    'TCP_SSL 8883 127.0.1.1:30883*10 127.0.1.2:30883*10',
  ],
  'config.yaml': ['OPEN', 'TCP 80 session 60s LEAST_CONN 127.0.1.1:30080*10 127.0.1.2:30080*10'],
  'security.yaml': ['OPEN sg-0a1b2c3d pass-to-target', 'TCP 80 127.0.1.2:30080*10'],
  'skip.yaml': [],
}

describe('examples/tke', () => {
  it('has an expectation for each manifest', () => {
    expect(
      readdirSync(FOLDER)
        .filter((name) => name.endsWith('.yaml'))
        .sort(),
    ).toEqual(Object.keys(EXPECTED).sort())
  })

  it.each(Object.entries(EXPECTED))('%s does in the cloud what it says, and leaves nothing', async (file, expected) => {
    const rig = createRig(cloud)
    rig.nodes = [node('n1', { addresses: ['127.0.1.1'] }), node('n2', { addresses: ['127.0.1.2'], labels: { pool: 'web' } })]
    const names: string[] = []
    const lent = await lend(file)
    for (const body of documents(file)) {
      const kind = scheme.find((each) => each.kind === body.kind)
      if (kind === undefined) throw new Error(`no kind ${body.kind}`)
      expect(problemsOf(kind, { ...body, metadata: { ...body.metadata, namespace: 'default' } })).toEqual([])
      if (body.kind === 'TkeServiceConfig')
        rig.objects.putConfig(`default/${body.metadata.name}`, body as unknown as TkeServiceConfig)
      if (body.kind === 'Secret') rig.objects.putCertificate(`default/${body.metadata.name}`, { ids: ['0a1b2c3d'] })
      if (body.kind !== 'Service') continue
      const service = stored(body)
      if (service.spec.type !== 'LoadBalancer') continue
      rig.put(ownerOf(service))
      if (lent !== undefined) rig.annotate(service.metadata.name, { existedId: lent })
      names.push(service.metadata.name)
    }
    for (const name of names) expect((await rig.settle(name)).problems).toEqual([])
    expect(await described()).toEqual(expected)
    for (const name of names) rig.leave(name)
    await rig.settleAll()
    expect(await described()).toEqual(lent === undefined ? [] : ['OPEN'])
  })
})

/** The load balancer that a manifest calls `lb-0a1b2c3d`. */
const lend = async (file: string): Promise<string | undefined> => {
  if (file !== 'existing.yaml') return undefined
  const id = await cloud.api.createLoadBalancer({ ClientToken: 'lent', LoadBalancerType: 'OPEN' }, NEVER)
  while ((await cloud.api.loadBalancer(id, NEVER))?.isReady !== true);
  return id
}
