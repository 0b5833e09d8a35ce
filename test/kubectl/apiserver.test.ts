import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type HttpsServer, startHttpsServer } from '../../src/apiserver/testing/https-server.ts'
import { createKubectl, KUBECTL_VERSIONS, type Kubectl } from './kubectl.ts'

const service = (selector: string, ports = '[{name: http, port: 80, targetPort: 8080}]'): string => `
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {selector: {app: ${selector}}, ports: ${ports}}
`

const ingress = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: web.ilinux.io
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
`

describe.each(KUBECTL_VERSIONS)('kubectl %s', (version) => {
  let api: HttpsServer
  let kubectl: Kubectl
  beforeAll(async () => {
    api = await startHttpsServer({
      podLogs: {
        async read({ follow }) {
          return (async function* () {
            yield Buffer.from(`hello${follow ? ' again' : ''}\n`)
          })()
        },
      },
    })
    kubectl = await createKubectl(api.kubeconfig, version)
  })
  afterAll(async () => {
    await kubectl.close()
    await api.stop()
  })
  let namespace = ''
  let tests = 0
  beforeEach(async () => {
    namespace = `test-${++tests}`
    await kubectl.ok(['create', 'namespace', namespace])
  })
  const inNamespace = (args: readonly string[]): readonly string[] => ['--namespace', namespace, ...args]
  const ok = (...args: readonly string[]): Promise<string> => kubectl.ok(inNamespace(args))
  const run = (args: readonly string[], stdin?: string) => kubectl.run(inNamespace(args), stdin)
  const start = (...args: readonly string[]) => kubectl.start(inNamespace(args))
  const feed = (stdin: string, ...args: readonly string[]): Promise<string> =>
    kubectl.ok(inNamespace([...args, '-f', '-']), stdin)
  /** Standard error of a run that must fail. */
  const fails = async (args: readonly string[], stdin?: string): Promise<string> => {
    const { code, stderr } = await run(args, stdin)
    expect(code).not.toBe(0)
    return stderr
  }

  test('version, cluster-info, api-resources, api-versions', async () => {
    expect(await ok('version')).toContain('Server Version: v1.35.')
    expect(await ok('cluster-info')).toContain(api.url)
    const resources = await ok('api-resources')
    for (const name of ['services', 'ingresses', 'endpointslices', 'servicecidrs', 'deployments', 'leases'])
      expect(resources).toContain(name)
    expect((await ok('api-versions')).split('\n')).toContain('networking.k8s.io/v1')
  })

  test('the namespaces and the Service of the API server are there', async () => {
    expect((await ok('get', 'ns', '-o', 'name')).trim().split('\n')).toEqual(
      expect.arrayContaining(['default', 'kube-node-lease', 'kube-public', 'kube-system'].map((name) => `namespace/${name}`)),
    )
    const found = await kubectl.ok(['get', 'svc,endpointslices', '-n', 'default', 'kubernetes'])
    expect(found).toContain('10.96.0.1')
    expect(found).toContain('192.0.2.1')
  })

  test('create, apply a change, apply the same', async () => {
    expect(await feed(service('web'), 'apply')).toBe('service/web created\n')
    expect(await feed(service('web'), 'apply')).toBe('service/web unchanged\n')
    const changed = service('other', '[{name: http, port: 80, targetPort: 8080}, {name: metrics, port: 9090}]')
    expect(await feed(changed, 'apply')).toBe('service/web configured\n')
    expect(await ok('get', 'svc', 'web', '-o', 'jsonpath={.spec.selector.app} {.spec.ports[*].name}')).toBe('other http metrics')
    expect(await feed(service('web'), 'apply')).toBe('service/web configured\n')
    expect(await ok('get', 'svc', 'web', '-o', 'jsonpath={.spec.ports[*].name}')).toBe('http')
    expect(await fails(['create', '-f', '-'], service('web'))).toContain('services "web" already exists')
  })

  test('get in every form', async () => {
    await feed(service('web'), 'create')
    expect(await ok('get', 'svc', 'web')).toMatch(/NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nweb +ClusterIP +10\.96\./)
    expect(await ok('get', 'svc', '-o', 'wide')).toMatch(/SELECTOR[\s\S]*app=web/)
    expect(await ok('get', 'svc', 'web', '-o', 'yaml')).toContain('targetPort: 8080')
    expect(JSON.parse(await ok('get', 'svc', 'web', '-o', 'json')).kind).toBe('Service')
    expect(await ok('get', 'svc', 'web', '-o', 'name')).toBe('service/web\n')
    expect(await ok('get', 'svc', '-o', 'custom-columns=N:.metadata.name', '--no-headers', '-l', 'app=web')).toBe('web\n')
    expect(await ok('get', 'svc', '-A', '--sort-by=.metadata.name')).toContain('kubernetes')
    expect(await ok('get', 'svc', '--field-selector', 'metadata.name=web', '--show-labels')).toContain('app=web')
    expect(await ok('get', 'all')).toContain('service/web')
    expect(await fails(['get', 'svc', 'missing'])).toBe('Error from server (NotFound): services "missing" not found\n')
    expect(await fails(['get', 'nosuch'])).toContain('the server doesn\'t have a resource type "nosuch"')
    expect(await ok('get', 'svc', 'missing', '--ignore-not-found')).toBe('')
  })

  test('lists longer than a page are whole', async () => {
    const many = Array.from({ length: 30 }, (_, index) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m${index}}\n`)
    await feed(many.join('---\n'), 'create')
    const names = await ok('get', 'cm', '--chunk-size=7', '-o', 'name')
    expect(names.trim().split('\n')).toHaveLength(30)
    const printed = await ok('get', 'cm', '--chunk-size=7', '--no-headers')
    expect(printed.trim().split('\n')).toHaveLength(30)
  })

  test('-w shows what happens', async () => {
    const watch = start('get', 'cm', '-w', '--output-watch-events')
    try {
      // The watch begins after the list that found nothing.
      await ok('create', 'cm', 'early')
      await watch.until('early')
      await ok('label', 'cm', 'early', 'a=b')
      await watch.until('MODIFIED')
      await ok('delete', 'cm', 'early')
      await watch.until('DELETED')
    } finally {
      await watch.stop()
    }
  })

  test('label, annotate, patch in three ways, replace, edit', async () => {
    await feed(service('web'), 'create')
    expect(await ok('label', 'svc', 'web', 'tier=front')).toBe('service/web labeled\n')
    expect(await ok('annotate', 'svc', 'web', 'note=x')).toBe('service/web annotated\n')
    await ok('patch', 'svc', 'web', '--type=json', '-p', '[{"op":"replace","path":"/spec/ports/0/port","value":81}]')
    await ok('patch', 'svc', 'web', '--type=merge', '-p', '{"metadata":{"labels":{"tier":null}}}')
    await ok('patch', 'svc', 'web', '-p', '{"spec":{"ports":[{"port":82,"name":"more"}]}}')
    const { metadata, spec } = JSON.parse(await ok('get', 'svc', 'web', '-o', 'json'))
    expect(metadata.labels).toEqual({ app: 'web' })
    expect(spec.ports.map((port: { port: number }) => port.port)).toEqual([82, 81])
    const { clusterIP } = spec
    expect(await feed(service('web', '[{port: 90}]').replace('ports:', `clusterIP: ${clusterIP}, ports:`), 'replace')).toBe(
      'service/web replaced\n',
    )
    expect(await feed(service('web'), 'replace', '--force')).toContain('service/web replaced')
    await ok('annotate', 'svc', 'web', 'note=before-edit')
    expect(await ok('edit', 'svc', 'web')).toBe('service/web edited\n')
    expect(await ok('get', 'svc', 'web', '-o', 'jsonpath={.metadata.annotations.note}')).toBe('after-edit')
  })

  test('validation: every problem, unknown fields, wrong types, immutable fields', async () => {
    const bad = service('web', '[{port: 0}, {port: 70000}]')
    const stderr = await fails(['create', '-f', '-'], bad)
    expect(stderr).toMatch(/The Service "web" is invalid: ?\n/)
    expect(stderr).toContain('* spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive')
    expect(stderr).toContain('* spec.ports[1].port: Invalid value: 70000')
    expect(await fails(['create', '-f', '-'], service('web').replace('selector:', 'selektor:'))).toContain(
      'unknown field "spec.selektor"',
    )
    expect(await fails(['create', '-f', '-'], service('web', '[{port: eighty}]'))).toContain(
      'cannot unmarshal string into Go struct field',
    )
    await feed(service('web'), 'create')
    expect(await fails(['patch', 'svc', 'web', '-p', '{"spec":{"clusterIP":"10.96.9.9"}}'])).toContain('may not change once set')
  })

  test('typed commands, whose bodies are protobuf', async () => {
    await ok('create', 'deployment', 'shop', '--image=echo', '--replicas=2', '--port=8080')
    expect(
      await ok(
        'get',
        'deploy',
        'shop',
        '-o',
        'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].ports[0].containerPort}',
      ),
    ).toBe('2 8080')
    await ok('create', 'service', 'clusterip', 'cip', '--tcp=80:8080')
    await ok('create', 'service', 'nodeport', 'np', '--tcp=80:http', '--node-port=30123')
    expect(await ok('get', 'svc', 'np', '-o', 'jsonpath={.spec.ports[0].nodePort} {.spec.ports[0].targetPort}')).toBe(
      '30123 http',
    )
    await ok('create', 'service', 'externalname', 'ext', '--external-name=example.com')
    await ok('create', 'configmap', 'c', '--from-literal=a=b')
    await ok('create', 'secret', 'generic', 's', '--from-literal=password=x')
    expect(await ok('get', 'secret', 's', '-o', 'jsonpath={.data.password}')).toBe('eA==')
    await ok('delete', 'secret', 's')
    await ok('create', 'ingress', 'i', '--rule=foo.com/bar*=cip:80,tls=cert')
    expect(await ok('get', 'ing', 'i')).toMatch(/i +<none> +foo\.com +80, 443/)
    await ok('create', 'namespace', 'team')
    await ok('expose', 'deployment', 'shop', '--name=exposed', '--port=80')
    expect(await ok('get', 'svc', 'exposed', '-o', 'jsonpath={.spec.ports[0].targetPort} {.spec.selector.app}')).toBe('80 shop')
  })

  test('scale, set image, rollout restart, autoscaling subresource', async () => {
    await ok('create', 'deployment', 'shop', '--image=echo')
    expect(await ok('scale', 'deploy', 'shop', '--replicas=3')).toBe('deployment.apps/shop scaled\n')
    expect(await ok('get', 'deploy', 'shop', '--subresource=scale', '-o', 'jsonpath={.spec.replicas}')).toBe('3')
    await ok('set', 'image', 'deploy/shop', 'echo=echo:2')
    await ok('rollout', 'restart', 'deploy/shop')
    expect(
      await ok('get', 'deploy', 'shop', '-o', 'jsonpath={.metadata.generation} {.spec.template.spec.containers[*].image}'),
    ).toBe('4 echo:2')
  })

  test('rollout status and wait end when what they wait for happens', async () => {
    await ok('create', 'deployment', 'shop', '--image=echo')
    const rollout = start('rollout', 'status', 'deploy/shop', '--timeout=60s')
    const waiting = start('wait', 'deploy/shop', '--for=condition=Available', '--timeout=60s')
    await rollout.until('Waiting for deployment')
    const status = {
      status: {
        observedGeneration: 1,
        replicas: 1,
        updatedReplicas: 1,
        readyReplicas: 1,
        availableReplicas: 1,
        conditions: [{ type: 'Available', status: 'True' }],
      },
    }
    await ok('patch', 'deploy', 'shop', '--subresource=status', '--type=merge', '-p', JSON.stringify(status))
    await rollout.until('successfully rolled out')
    await waiting.until('condition met')
    const deleted = start('wait', 'deploy/shop', '--for=delete', '--timeout=60s')
    expect(await ok('delete', 'deploy', 'shop')).toContain('deleted')
    expect(await Promise.all([rollout.ended, waiting.ended, deleted.ended])).toEqual([0, 0, 0])
  })

  test('describe', async () => {
    await feed(`${service('web')}---\n${ingress}`, 'create')
    await ok('create', 'deployment', 'shop', '--image=echo')
    expect(await ok('describe', 'svc', 'web')).toMatch(/Selector: +app=web/)
    expect(await ok('describe', 'ing', 'web')).toContain('web.ilinux.io')
    expect(await ok('describe', 'deploy', 'shop')).toContain('StrategyType')
    expect(await ok('describe', 'ns', 'default')).toContain('Active')
  })

  test('explain', async () => {
    expect(await ok('explain', 'service.spec.ports')).toContain('nodePort')
    expect(await ok('explain', 'ingress.spec.rules', '--recursive')).toContain('pathType')
  })

  test('--dry-run=server and diff change nothing', async () => {
    expect(await feed(service('web'), 'create', '--dry-run=server')).toContain('created (server dry run)')
    expect(await fails(['get', 'svc', 'web'])).toContain('not found')
    await feed(service('web'), 'apply')
    const diff = await run(['diff', '-f', '-'], service('changed'))
    expect(diff.stdout).toContain('+    app: changed')
    expect(diff.code).toBe(1)
    expect(await ok('get', 'svc', 'web', '-o', 'jsonpath={.spec.selector.app}')).toBe('web')
    expect(await feed(service('changed'), 'apply', '--dry-run=server')).toContain('configured (server dry run)')
  })

  test('server-side apply is refused with a reason', async () => {
    expect(await fails(['apply', '--server-side', '-f', '-'], service('web'))).toContain(
      'server-side apply is not supported by this server yet',
    )
  })

  test.each([
    ['exec', ['exec', 'p', '--', 'ls']],
    ['portforward', ['port-forward', 'p', '18080:80']],
    ['attach', ['attach', 'p', '-c', 'p']],
  ])('pods/%s is refused with a reason', async (subresource, args) => {
    await ok('run', 'p', '--image=i')
    // Running, so that kubectl goes on to open the stream.
    await ok('patch', 'pod', 'p', '--subresource=status', '-p', '{"status":{"phase":"Running"}}')
    expect(await fails(args)).toContain(`pods/${subresource} is not supported by Fairway yet`)
  })

  test('short names belong to one group each: no warning', async () => {
    await feed(ingress, 'apply')
    const { code, stderr } = await run(['get', 'ing,svc,ep,deploy'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('short name') })
  })

  test('auth can-i and whoami', async () => {
    expect(await ok('auth', 'can-i', 'create', 'pods')).toBe('yes\n')
    expect(await ok('auth', 'whoami')).toContain('system:masters')
    expect(await ok('auth', 'can-i', '--list')).toContain('*.*')
  })

  test('delete: cascades, grace and force, finalizers', async () => {
    await feed(service('web'), 'create')
    expect(await ok('delete', 'svc', 'web')).toContain('service "web" deleted')
    await ok('create', 'cm', 'held')
    await ok('patch', 'cm', 'held', '-p', '{"metadata":{"finalizers":["example.com/x"]}}')
    const deleting = start('delete', 'cm', 'held')
    await deleting.until('deleted')
    await ok('patch', 'cm', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}')
    await ok('wait', 'cm/held', '--for=delete', '--timeout=30s')
    expect(await deleting.ended).toBe(0)
    await feed(
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: echo}], nodeName: node-1}\n',
      'create',
    )
    expect(await ok('logs', 'p')).toBe('hello\n')
    expect(await ok('logs', '-f', 'p', '-c', 'c')).toBe('hello again\n')
    await ok('delete', 'pod', 'p', '--wait=false')
    expect(await ok('get', 'pod', 'p')).toContain('Terminating')
    await ok('delete', 'pod', 'p', '--force', '--grace-period=0')
    expect(await ok('get', 'pod', 'p', '--ignore-not-found')).toBe('')
    expect(await fails(['delete', 'ns', 'kube-system'])).toContain('this namespace may not be deleted')
  })

  test('--raw and events', async () => {
    expect(await ok('get', '--raw', '/readyz')).toBe('ok')
    expect((await run(['events'])).stderr).toContain('No events found')
  })
})
