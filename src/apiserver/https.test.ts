import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PodLogRequest } from '../client/index.ts'
import { type HttpsClient, type HttpsServer, startHttpsServer } from './testing/https-server.ts'
import { configMap } from './testing/test-server.ts'

let api: HttpsServer
let admin: HttpsClient
const logRequests: PodLogRequest[] = []

beforeAll(async () => {
  api = await startHttpsServer({
    podLogs: {
      async read(request) {
        logRequests.push(request)
        return (async function* () {
          yield Buffer.from('one\n')
          yield Buffer.from('two\n')
        })()
      },
    },
  })
  admin = api.admin
})
afterAll(() => api.stop())

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'

describe('who may ask', () => {
  test.each(['/healthz', '/livez', '/readyz', '/readyz/ping', '/version'])('everybody: %s', async (path) => {
    expect((await api.client().send('GET', path)).code).toBe(200)
  })

  test.each(['/', '/api', '/apis', '/metrics', '/openapi/v3', '/api/v1/pods', '/healthz/../api'])(
    'not without a certificate: %s',
    async (path) => {
      const answer = await api.client().send('GET', path)
      expect(answer.code).toBe(401)
      expect(answer.object).toMatchObject({
        kind: 'Status',
        status: 'Failure',
        reason: 'Unauthorized',
        message: 'Unauthorized',
        code: 401,
      })
    },
  )

  test('a certificate of another authority counts for nothing', async () => {
    const { openCertificates } = await import('./certificates/index.ts')
    const { realClock } = await import('../base/index.ts')
    const other = await openCertificates({ path: `${api.folder}/other`, clock: realClock })
    const pair = await other.client({ file: 'evil', commonName: 'admin', organizations: ['system:masters'] })
    expect((await api.client(pair).send('GET', '/api/v1/pods')).code).toBe(401)
  })

  test('a server certificate of our own authority is none of a client', async () => {
    const pair = await api.certificates.server(['127.0.0.1', 'localhost'])
    expect((await api.client(pair).send('GET', '/api/v1/pods')).code).toBe(401)
  })

  test('others than administrators only ask about themselves', async () => {
    const pair = await api.certificates.client({ file: 'bob', commonName: 'bob', organizations: ['dev'] })
    const bob = api.client(pair)
    const refused = await bob.send('GET', '/api/v1/namespaces/default/services/web')
    expect(refused.code).toBe(403)
    expect(refused.object.message).toBe(
      'services "web" is forbidden: User "bob" cannot get resource "services" in API group "" in the namespace "default"',
    )
    expect((await bob.send('GET', '/api/v1/nodes')).object.message).toBe(
      'nodes is forbidden: User "bob" cannot list resource "nodes" in API group "" at the cluster scope',
    )
    expect((await bob.send('GET', '/metrics')).object.message).toBe('forbidden: User "bob" cannot get path "/metrics"')
    expect((await bob.send('GET', '/api')).code).toBe(200)
    const review = { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } }
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
    expect((await bob.send('POST', path, { body: review })).object.status).toEqual({ allowed: false })
    expect((await admin.send('POST', path, { body: review })).object.status).toEqual({ allowed: true })
    const self = await bob.send('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: {} })
    expect(self.object.status.userInfo).toEqual({ username: 'bob', groups: ['dev', 'system:authenticated'] })
  })
})

describe('bodies', () => {
  test('JSON, YAML and nothing else', async () => {
    const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  a: "yes"\n'
    const created = await admin.send('POST', CONFIG_MAPS, { body: yaml, headers: { 'content-type': 'application/yaml' } })
    expect(created.object).toMatchObject({ metadata: { name: 'yaml' }, data: { a: 'yes' } })
    expect(created.headers['content-type']).toBe('application/json')
    for (const type of ['application/cbor', 'text/plain', 'application/merge-patch+json']) {
      const refused = await admin.send('POST', CONFIG_MAPS, { body: '{}', headers: { 'content-type': type } })
      expect(refused).toMatchObject({ code: 415, object: { reason: 'UnsupportedMediaType' } })
    }
    const patch = await admin.send('PATCH', `${CONFIG_MAPS}/yaml`, { body: {} })
    expect(patch.code).toBe(415)
    expect(patch.object.message).toContain('application/strategic-merge-patch+json')
  })

  test.each([
    ['no JSON', '{"a":', 400],
    ['JSON that is nested absurdly', `{"data":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 400],
    ['a YAML bomb', undefined, 400],
    ['3 MiB and a byte', 'x'.repeat(3 * 1024 * 1024 + 1), 413],
  ])('%s is refused', async (_, body, code) => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.replace(/./g, (name) => {
      const before = String.fromCharCode(name.charCodeAt(0) - 1)
      return `${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]\n`
    })}`
    const headers = { 'content-type': body === undefined ? 'application/yaml' : 'application/json' }
    const answer = await admin.send('POST', CONFIG_MAPS, { body: body ?? bomb, headers })
    expect(answer).toMatchObject({ code, object: { kind: 'Status' } })
    expect((await admin.send('GET', '/readyz')).code).toBe(200)
  })

  test('a body that is too long ends its HTTP/2 stream, not the connection', async () => {
    const pair = await api.certificates.client({ file: 'admin', commonName: 'admin', organizations: ['system:masters'] })
    const client = api.client(pair, { allowH2: true })
    const answer = await client.send('POST', CONFIG_MAPS, { body: 'x'.repeat(3 * 1024 * 1024 + 1) })
    expect(answer).toMatchObject({ code: 413, object: { reason: 'RequestEntityTooLarge' } })
    expect((await client.send('GET', '/readyz')).code).toBe(200)
  })

  test('a field that occurs twice is reported', async () => {
    const body = '{"metadata":{"name":"dup"},"data":{"a":"1"},"data":{"a":"2"}}'
    const strict = await admin.send('POST', `${CONFIG_MAPS}?fieldValidation=Strict`, { body })
    expect(strict.object.message).toContain('strict decoding error: duplicate field "data"')
    const warned = await admin.send('POST', CONFIG_MAPS, { body })
    expect(warned.code).toBe(201)
    expect(warned.headers['warning']).toBe('299 - "duplicate field \\"data\\""')
  })

  test('a protobuf body is an object like any other', async () => {
    // The fields of meta/v1 ObjectMeta and core/v1 ConfigMap in runtime.Unknown, as client-go writes them.
    const field = (number: number, ...parts: readonly (string | Buffer)[]): Buffer => {
      const content = Buffer.concat(parts.map((part) => Buffer.from(part)))
      return Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content])
    }
    const object = Buffer.concat([field(1, field(1, 'from-protobuf')), field(2, field(1, 'a'), field(2, 'b'))])
    const unknown = Buffer.concat([field(1, field(1, 'v1'), field(2, 'ConfigMap')), field(2, object)])
    const body = Buffer.concat([Buffer.from('k8s\0'), unknown])
    const headers = { 'content-type': 'application/vnd.kubernetes.protobuf', accept: 'application/json' }
    const created = await admin.send('POST', CONFIG_MAPS, { body, headers })
    expect(created).toMatchObject({ code: 201, object: { metadata: { name: 'from-protobuf' }, data: { a: 'b' } } })
  })

  test('a protobuf body that is none is refused', async () => {
    const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' }
    for (const body of [Buffer.from('k8s\0\x0a\xff'), Buffer.from('{}'), Buffer.from('k8s\0')]) {
      expect((await admin.send('POST', CONFIG_MAPS, { body, headers })).code).toBe(400)
    }
  })
})

describe('answers', () => {
  test.each([
    ['a resource that is not served', 'GET', '/api/v1/widgets', 404, 'the server could not find the requested resource'],
    ['a version that is not served', 'GET', '/api/v2/pods', 404, 'the server could not find the requested resource'],
    ['a path that is not served', 'GET', '/nothing', 404, 'the server could not find the requested resource'],
    [
      'a subresource that a kind has not',
      'GET',
      `${CONFIG_MAPS}/x/status`,
      404,
      'the server could not find the requested resource',
    ],
    [
      'a method that is not served',
      'POST',
      `${CONFIG_MAPS}/x`,
      405,
      'the server does not allow this method on the requested resource',
    ],
    ['a namespace around what has none', 'GET', '/api/v1/namespaces/a/nodes', 404, 'could not find the requested resource'],
    ['an object that is not there', 'GET', `${CONFIG_MAPS}/missing`, 404, 'configmaps "missing" not found'],
  ] as const)('%s', async (_, method, path, code, message) => {
    const answer = await admin.send(method, path)
    expect(answer).toMatchObject({ code, object: { kind: 'Status', status: 'Failure', code } })
    expect(answer.object.message).toContain(message)
  })

  test('406 for a form that is not served', async () => {
    const answer = await admin.send('GET', CONFIG_MAPS, { headers: { accept: 'application/cbor' } })
    expect(answer).toMatchObject({ code: 406, object: { reason: 'NotAcceptable' } })
  })

  test('a Table for kubectl, metadata alone for informers of metadata', async () => {
    await admin.send('POST', CONFIG_MAPS, { body: configMap('shown', { a: 'b' }) })
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
    const table = await admin.send('GET', CONFIG_MAPS, { headers: { accept } })
    expect(table.object).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: { resourceVersion: expect.any(String) },
    })
    expect(table.object.columnDefinitions.map((column: { name: string }) => column.name)).toEqual(['Name', 'Data', 'Age'])
    expect(table.object.rows[0].object.kind).toBe('PartialObjectMetadata')
    const missing = await admin.send('GET', `${CONFIG_MAPS}/missing`, { headers: { accept } })
    expect(missing.object.kind).toBe('Status')
    const metadata = await admin.send('GET', `${CONFIG_MAPS}/shown`, {
      headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' },
    })
    expect(metadata.object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'shown' } })
    expect(metadata.object.data).toBeUndefined()
  })

  test('readyz?verbose names the checks, metrics count requests', async () => {
    expect((await admin.send('GET', '/readyz?verbose')).text).toContain('[+]ping ok')
    const { text } = await admin.send('GET', '/metrics')
    expect(text).toMatch(
      /apiserver_request_total\{verb="create",group="",version="v1",resource="configmaps",subresource="",code="201"\} \d+/,
    )
    expect(text).not.toContain('widgets')
    expect(text).toMatch(/apiserver_storage_objects\{resource="namespaces"\} 4/)
  })

  test('OpenAPI v2 is served as the protobuf that kubectl up to 1.28 asks for', async () => {
    const headers = { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' }
    const { body, headers: answered } = await admin.open('/openapi/v2?timeout=32s', headers)
    expect(answered['content-type']).toBe('application/com.github.proto-openapi.spec.v2.v1.0+protobuf')
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(chunk)
    expect(Buffer.concat(chunks).includes('io.k8s.api.core.v1.Service')).toBe(true)
  })

  test('discovery documents carry an ETag that saves the second answer', async () => {
    const first = await admin.send('GET', '/apis')
    const { etag } = first.headers
    expect((await admin.send('GET', '/apis', { headers: { 'if-none-match': String(etag) } })).code).toBe(304)
  })

  test('logs are streamed as text', async () => {
    const pod = { metadata: { name: 'talker' }, spec: { containers: [{ name: 'main', image: 'echo' }] } }
    await admin.send('POST', '/api/v1/namespaces/default/pods', { body: pod })
    const answer = await admin.send('GET', '/api/v1/namespaces/default/pods/talker/log?tailLines=5&timestamps=true')
    expect(answer).toMatchObject({ code: 200, text: 'one\ntwo\n' })
    expect(answer.headers['content-type']).toBe('text/plain')
    expect(logRequests[0]).toMatchObject({ name: 'talker', container: 'main', tailLines: 5, timestamps: true, follow: false })
    const other = await admin.send('GET', '/api/v1/namespaces/default/pods/talker/log?container=x')
    expect(other).toMatchObject({ code: 400, object: { message: 'container x is not valid for pod talker' } })
  })
})

/** Lines of a streamed answer. */
async function* lines(body: AsyncIterable<Buffer>): AsyncGenerator<{ type: string; object: { metadata: { name: string } } }> {
  let rest = ''
  for await (const chunk of body) {
    const parts = (rest + chunk.toString('utf8')).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) yield JSON.parse(part)
  }
}

describe.each([
  ['HTTP/1.1', false],
  ['HTTP/2', true],
])('watch over %s', (_, allowH2) => {
  test('events come as they happen, one JSON object a line', async () => {
    const pair = await api.certificates.client({ file: 'admin', commonName: 'admin', organizations: ['system:masters'] })
    const client = api.client(pair, { allowH2 })
    const list = await client.send('GET', CONFIG_MAPS)
    const { body, headers } = await client.open(
      `${CONFIG_MAPS}?watch=true&resourceVersion=${list.object.metadata.resourceVersion}`,
    )
    expect(headers['content-type']).toBe('application/json')
    const events = lines(body)
    const name = `watched-${allowH2}`
    await client.send('POST', CONFIG_MAPS, { body: configMap(name) })
    expect((await events.next()).value).toMatchObject({ type: 'ADDED', object: { kind: 'ConfigMap', metadata: { name } } })
    await client.send('DELETE', `${CONFIG_MAPS}/${name}`)
    expect((await events.next()).value).toMatchObject({ type: 'DELETED', object: { metadata: { name } } })
    body.destroy()
  })
})

describe('hostile connections', () => {
  const raw = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(
        { port: api.port, host: '127.0.0.1', ca: api.certificates.authority, servername: 'localhost' },
        () => {
          socket.write(text)
        },
      )
      let answer = ''
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1')
      })
      socket.on('close', () => resolve(answer))
      socket.on('error', reject)
    })

  test.each([
    ['headers without end', `GET /healthz HTTP/1.1\r\nx: ${'y'.repeat(100_000)}`],
    ['no HTTP at all', 'SSH-2.0-x\r\n\r\n'],
    ['two lengths', 'POST /api HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx'],
  ])('%s', async (_, text) => {
    expect(await raw(text)).toMatch(/^(HTTP\/1\.1 4\d\d|$)/)
    expect((await admin.send('GET', '/readyz')).code).toBe(200)
  })
})

describe('old versions', () => {
  const backend = { serviceName: 'web', servicePort: 80 }
  const spec = { rules: [{ host: 'web.ilinux.io', http: { paths: [{ path: '/', backend }] } }] }

  test.each([
    ['extensions/v1beta1', 'old-1'],
    ['networking.k8s.io/v1beta1', 'old-2'],
  ])('an Ingress of %s is stored as v1, and read, listed, watched and changed in both', async (apiVersion, name) => {
    const path = `/apis/${apiVersion}/namespaces/default/ingresses`
    const current = '/apis/networking.k8s.io/v1/namespaces/default/ingresses'
    const created = await admin.send('POST', path, { body: { apiVersion, kind: 'Ingress', metadata: { name }, spec } })
    expect(created.object).toMatchObject({ apiVersion, spec: { rules: [{ http: { paths: [{ backend }] } }] } })
    const stored = await admin.send('GET', `${current}/${name}`)
    expect(stored.object.apiVersion).toBe('networking.k8s.io/v1')
    expect(stored.object.spec.rules[0].http.paths[0].backend).toEqual({ service: { name: 'web', port: { number: 80 } } })
    expect((await admin.send('GET', path)).object.items[0].apiVersion).toBe(apiVersion)
    const headers = { 'content-type': 'application/merge-patch+json' }
    const patch = { spec: { rules: [{ host: 'api.ilinux.io', http: { paths: [{ path: '/', backend }] } }] } }
    expect((await admin.send('PATCH', `${path}/${name}`, { body: patch, headers })).code).toBe(200)
    expect((await admin.send('GET', `${current}/${name}`)).object.spec.rules[0].host).toBe('api.ilinux.io')
    const { body } = await admin.open(`${path}?watch=true&resourceVersion=${stored.object.metadata.resourceVersion}`)
    expect((await lines(body).next()).value).toMatchObject({ type: 'MODIFIED', object: { apiVersion, metadata: { name } } })
    body.destroy()
    await admin.send('DELETE', `${path}/${name}`)
    expect((await admin.send('GET', `${current}/${name}`)).code).toBe(404)
  })
})

describe('fan-out', () => {
  test('500 watchers all see an event', async () => {
    const streams = await Promise.all(
      Array.from({ length: 500 }, () => admin.open('/api/v1/namespaces/kube-public/configmaps?watch=true&resourceVersion=1')),
    )
    const readers = streams.map((stream) => lines(stream.body))
    await admin.send('POST', '/api/v1/namespaces/kube-public/configmaps', { body: configMap('news') })
    for (const reader of readers)
      expect((await reader.next()).value).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'news' } } })
    for (const stream of streams) stream.body.destroy()
  })
})

describe('stop', () => {
  test('ends watches and releases the port', async () => {
    const own = await startHttpsServer()
    const { body } = await own.admin.open('/api/v1/pods?watch=true')
    const ended = (async () => {
      for await (const _ of body);
    })().catch(() => undefined)
    await own.stop()
    await ended
    const taken = connect({ port: own.port, host: '127.0.0.1' })
    await expect(new Promise((_, reject) => taken.once('error', reject))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('a port in use is one clear line', async () => {
    const { authority } = api.certificates
    const certificate = await api.certificates.server(['127.0.0.1', 'localhost'])
    const request = { host: '127.0.0.1', port: api.port, authority, certificate }
    await expect(api.server.listen(request, new AbortController().signal)).rejects.toMatchObject({
      name: 'UserError',
      message: `the API server's port 127.0.0.1:${api.port} is in use; stop what holds it or choose another with --api-port`,
    })
  })
})
