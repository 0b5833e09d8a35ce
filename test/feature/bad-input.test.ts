import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createRawApi, type RawApi, type RawReply } from '../support/raw-api.ts'
import { expectUnharmed } from '../support/unharmed.ts'
import { startWorld, type World } from '../support/world.ts'

const CORE = '/api/v1/namespaces/default'
const BYSTANDER = `${CORE}/configmaps/bystander`
const MEGABYTE = 'x'.repeat(2 ** 20)

let world: World
let api: RawApi

beforeAll(async () => {
  world = await startWorld({ slot: 10, asUser: true })
  api = createRawApi(world.instance.status.kubeconfig)
  await create('configmaps', { metadata: { name: 'bystander' }, data: { kept: 'yes' } })
})
afterEach(async () => {
  await expectUnharmed(world.instance, BYSTANDER)
  expect((await api.send(BYSTANDER)).json.data).toEqual({ kept: 'yes' })
})
afterAll(() => world?.close())

const create = (plural: string, object: object, query = ''): Promise<RawReply> =>
  api.send(`${CORE}/${plural}${query}`, { body: JSON.stringify(object) })

const service = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, ...metadata },
  spec: { ports: [{ port: 80 }], ...spec },
})

const fieldsOf = (reply: RawReply): readonly string[] =>
  reply.json.details.causes.map(({ field }: { field: string }) => field).sort()

describe('manifests that are not what they should be', () => {
  it.each([
    ['a bracket that nobody closes', 'apiVersion: v1\nkind: [', /bad\.yaml/],
    ['a tab as indentation', 'metadata:\n\tname: a\n', /bad\.yaml/],
    ['no kind', 'apiVersion: v1\nmetadata: {name: a}\n', /kind/i],
    ['a kind that is not served', 'apiVersion: v1\nkind: Serivce\nmetadata: {name: a}\n', /Serivce/],
  ])('kubectl and fairway refuse %s, and say where', async (_title, text, message) => {
    const file = join(world.instance.dataDir, 'bad.yaml')
    await writeFile(file, text, { mode: 0o644 })
    for (const output of [await world.kubectl.run(['apply', '-f', file]), await world.instance.fairway('apply', '-f', file)]) {
      expect(output.code).toBeGreaterThan(0)
      expect(output.stderr).toMatch(message)
      expect(output.stderr).not.toMatch(/\n\s+at |internal error/)
    }
  })

  it('one bad object of a file does not keep the others', async () => {
    const objects = [service('good-one'), service('BAD_two'), service('good-three')].map((object) => JSON.stringify(object))
    const file = join(world.instance.dataDir, 'mixed.yaml')
    await writeFile(file, objects.join('\n---\n'), { mode: 0o644 })
    for (const output of [await world.kubectl.run(['apply', '-f', file]), await world.instance.fairway('apply', '-f', file)]) {
      expect(output.code).toBe(1)
      expect(output.stderr).toMatch(/BAD_two.*metadata\.name/)
      expect(output.stdout).toMatch(/service\/good-one \w+\n.*service\/good-three \w+/)
    }
  })

  it('every unknown field is named when strict, warned of by default, ignored when asked', async () => {
    const object = service('unknown', { foo: 1, ports: [{ port: 80, bar: 2 }] })
    const strict = await create('services', object, '?fieldValidation=Strict')
    expect(strict.code).toBe(400)
    expect(strict.json.message).toMatch(/unknown field "spec\.ports\[0\]\.bar".*unknown field "spec\.foo"/)
    const warned = await create('services', object, '?fieldValidation=Warn&dryRun=All')
    expect(warned.code).toBe(201)
    expect(warned.headers['warning']).toMatch(/spec\.ports\[0\]\.bar.*spec\.foo/)
    const ignored = await create('services', object, '?fieldValidation=Ignore&dryRun=All')
    expect([ignored.code, ignored.headers['warning']]).toEqual([201, undefined])
    const client = await world.kubectl.run(['apply', '-f', '-'], JSON.stringify(object))
    expect(client.stderr).toMatch(/unknown field "spec\.foo"/)
    expect(client.code).toBe(1)
  })

  it('every wrong type is told with its path, at once', async () => {
    const reply = await create('services', service('types', { ports: [{ port: '80' }], selector: { a: 1 }, type: 7 }))
    expect(reply.code).toBe(400)
    for (const path of ['spec.ports.port of type int32', 'spec.selector of type string', 'spec.type of type string'])
      expect(reply.json.message).toContain(path)
  })

  it('every field error is told at once: Service', async () => {
    const spec = { type: 'Foo', sessionAffinity: 'z', ports: [{ port: 0 }, { port: 70000, protocol: 'X' }] }
    const reply = await create('services', service('U_1', spec))
    expect(reply.code).toBe(422)
    expect(fieldsOf(reply)).toEqual(
      expect.arrayContaining([
        ...['metadata.name', 'spec.ports[0].name', 'spec.ports[0].port', 'spec.ports[1].name', 'spec.ports[1].port'],
        ...['spec.ports[1].protocol', 'spec.sessionAffinity', 'spec.type'],
      ]),
    )
  })

  it('every field error is told at once: Ingress', async () => {
    const paths = [
      { path: 'nope', pathType: 'Prefix', backend: { service: { name: 'a', port: {} } } },
      { path: '/a', backend: { service: { name: 'b', port: { number: 1 } } } },
    ]
    const reply = await api.send('/apis/networking.k8s.io/v1/namespaces/default/ingresses', {
      body: JSON.stringify({ metadata: { name: 'X' }, spec: { rules: [{ host: '1.2.3.4', http: { paths } }] } }),
    })
    expect(reply.code).toBe(422)
    const path = 'spec.rules[0].http.paths'
    expect(fieldsOf(reply)).toEqual(
      expect.arrayContaining(['metadata.name', 'spec.rules[0].host', `${path}[0].path`, `${path}[1].pathType`]),
    )
  })

  it('every field error is told at once: EndpointSlice', async () => {
    const reply = await api.send('/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      body: JSON.stringify({
        metadata: { name: 'x' },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['zzz'] }, { addresses: [] }],
        ports: [
          { name: 'A_', port: 0 },
          { port: 99999, protocol: 'ICMP' },
        ],
      }),
    })
    expect(reply.code).toBe(422)
    expect(fieldsOf(reply)).toEqual(
      expect.arrayContaining([
        ...['endpoints[0].addresses[0]', 'endpoints[1].addresses', 'ports[0].name', 'ports[1].port', 'ports[1].protocol'],
      ]),
    )
  })

  it.each([
    [
      'out of range',
      service('np', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }),
      /range of valid ports is 30000-32767/,
    ],
    ['taken by another', service('np', { type: 'NodePort', ports: [{ port: 80, nodePort: 31700 }] }), /already allocated/],
    [
      'asked twice',
      service('np', { type: 'NodePort', ports: [31701, 31701].map((nodePort, i) => ({ name: `p${i}`, port: i + 1, nodePort })) }),
      /Duplicate value: 31701/,
    ],
  ])('a node port %s is refused with its path', async (_title, object, message) => {
    await create('services', service('np-holder', { type: 'NodePort', ports: [{ port: 80, nodePort: 31700 }] }))
    const reply = await create('services', object)
    expect(reply.code).toBe(422)
    expect(reply.json.message).toMatch(message)
    expect(fieldsOf(reply)[0]).toMatch(/^spec\.ports\[\d\]\.nodePort$/)
  })
})

describe('hostile objects', () => {
  it.each([
    ['an annotation', 'services', service('mb', {}, { annotations: { a: MEGABYTE } }), 422, 'metadata.annotations'],
    ['a label', 'services', service('mb', {}, { labels: { a: MEGABYTE } }), 422, 'metadata.labels'],
    ['a label key', 'services', service('mb', {}, { labels: { [MEGABYTE]: 'a' } }), 422, 'metadata.labels'],
    ['a name', 'services', service(MEGABYTE), 422, 'metadata.name'],
    ['a type', 'services', service('mb', { type: MEGABYTE }), 422, 'spec.type'],
    ['a selector', 'services', service('mb', { selector: { a: MEGABYTE } }), 422, 'spec.selector'],
    ['data beyond the limit', 'configmaps', { metadata: { name: 'mb' }, data: { a: MEGABYTE, b: 'x' } }, 422, ''],
  ])('1 MiB in %s is refused', async (_title, plural, object, code, field) => {
    const reply = await create(plural, object)
    expect(reply.code).toBe(code)
    expect(fieldsOf(reply)).toContain(field)
  })

  it('a megabyte of data comes back as it was sent', async () => {
    const data = { a: MEGABYTE.slice(0, 1_000_000) }
    expect((await create('configmaps', { metadata: { name: 'big' }, data })).code).toBe(201)
    expect((await api.send(`${CORE}/configmaps/big`)).json.data).toEqual(data)
  })

  it('warnings of 20,000 unknown fields, or of one megabyte, stay small', async () => {
    const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`f${i}`, 1]))
    for (const spec of [many, { [MEGABYTE]: 1 }, { 'a\r\nx-evil: 1': 1 }]) {
      const reply = await create('services', service('warned', spec), '?dryRun=All')
      expect(reply.code).toBe(201)
      expect(String(reply.headers['warning']).length).toBeLessThan(8192)
      expect(reply.headers['x-evil']).toBeUndefined()
    }
  })

  it('more than 3 MiB is 413', async () => {
    expect((await create('configmaps', { metadata: { name: 'huge' }, data: { a: MEGABYTE.repeat(3) } })).code).toBe(413)
  })

  it('a Service of 10,000 ports is stored, and its neighbours are still served', async () => {
    const ports = Array.from({ length: 10_000 }, (_, i) => ({ name: `p${i}`, port: i + 20_000 }))
    const made = await create('services', service('many-ports', { ports }))
    expect([201, 422]).toContain(made.code)
    expect((await create('services', service('neighbour'))).code).toBe(201)
    if (made.code === 201) expect((await api.send(`${CORE}/services/many-ports`, { method: 'DELETE' })).code).toBe(200)
  })

  it.each([
    ['arrays', '['.repeat(1_000_000)],
    ['annotations', `{"metadata":{"name":"d","annotations":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_001)}}`],
    [
      'what is kept unread',
      `{"metadata":{"name":"d","managedFields":[{"fieldsV1":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}]}}`,
    ],
  ])('%s nested deeply are 400', async (_title, body) => {
    expect((await api.send(`${CORE}/services`, { body })).code).toBe(400)
  })

  it('a patch nested deeply is 400', async () => {
    const body = `${'{"data":'.repeat(200_000)}1${'}'.repeat(200_000)}`
    expect((await api.send(BYSTANDER, { method: 'PATCH', type: 'application/merge-patch+json', body })).code).toBe(400)
  })
})

describe('names of Object.prototype', () => {
  const data = '{"__proto__":"a","constructor":"b","toString":"c"}'

  it.each(['configmaps', 'yaml'])('are data as any other: %s', async (how) => {
    const name = `proto-${how}`
    const type = how === 'yaml' ? 'application/yaml' : 'application/json'
    const made = await api.send(`${CORE}/configmaps`, { type, body: `{"metadata":{"name":"${name}"},"data":${data}}` })
    expect(made.code).toBe(201)
    expect((await api.send(`${CORE}/configmaps/${name}`)).text).toContain(`"data":${data}`)
  })

  it('select nothing but what has them', async () => {
    const selector = { constructor: 'b', toString: 'c' }
    const made = await create('services', service('proto', { selector }, { labels: selector, annotations: selector }))
    expect(made.json.spec.selector).toEqual(selector)
    expect((await api.send(`${CORE}/services?labelSelector=constructor%3Db`)).json.items).toHaveLength(1)
    expect((await api.send(`${CORE}/services?labelSelector=hasOwnProperty`)).json.items).toEqual([])
    const refused = await api.send(`${CORE}/services`, {
      body: '{"metadata":{"name":"p","labels":{"__proto__":"a"}},"spec":{"ports":[{"port":1}],"selector":{"__proto__":"a"}}}',
    })
    expect([refused.code, fieldsOf(refused)]).toEqual([422, ['metadata.labels', 'spec.selector']])
  })

  it.each([
    ['merge', '{"__proto__":{"data":{"q":"q"}},"data":{"__proto__":"new"}}', 200],
    ['strategic-merge', '{"__proto__":{"data":{"q":"q"}},"data":{"__proto__":"new"}}', 200],
    ['json', '[{"op":"add","path":"/data/__proto__","value":"new"}]', 200],
    ['json', '[{"op":"add","path":"/__proto__/polluted","value":"x"}]', 422],
    ['json', '[{"op":"add","path":"/constructor/prototype/polluted","value":"x"}]', 422],
  ])('in a %s patch %s touch no prototype', async (type, body, code) => {
    await api.send(`${CORE}/configmaps/target`, { method: 'DELETE' })
    await api.send(`${CORE}/configmaps`, { body: `{"metadata":{"name":"target"},"data":${data}}` })
    const patched = await api.send(`${CORE}/configmaps/target`, {
      method: 'PATCH',
      type: `application/${type}-patch+json`,
      body,
    })
    expect(patched.code).toBe(code)
    const now = await api.send(`${CORE}/configmaps/target`)
    expect(now.text).toContain(`"data":${code === 200 ? data.replace('"a"', '"new"') : data}`)
    expect((await create('configmaps', { metadata: { name: 'fresh' } }, '?dryRun=All')).json.polluted).toBeUndefined()
  })
})

describe('broken bytes', () => {
  const random = (): Buffer => {
    // The same every time: a linear congruential generator.
    let state = 42
    const bytes = Array.from({ length: 2000 }, () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31
      return state >> 16
    })
    return Buffer.from(bytes)
  }

  it.each([
    ['JSON that ends half way', '{"metadata":{"name":"cut"},"da', 'application/json', 400],
    ['no JSON', '\0\0\0', 'application/json', 400],
    ['a JSON string', '"x"', 'application/json', 400],
    [
      'a name that is no UTF-8',
      Buffer.from([...Buffer.from('{"metadata":{"name":"u'), 0xff, ...Buffer.from('"}}')]),
      'application/json',
      422,
    ],
    [
      'YAML that multiplies',
      `${['a', 'b', 'c', 'd', 'e'].map((at, i) => `${at}: &${at} [${Array(9).fill(i ? `*${'abcd'[i - 1]}` : 1)}]`).join('\n')}`,
      'application/yaml',
      400,
    ],
    ['random protobuf', Buffer.concat([Buffer.from('k8s\0'), random()]), 'application/vnd.kubernetes.protobuf', 400],
    ['random bytes as protobuf', random(), 'application/vnd.kubernetes.protobuf', 400],
    ['an unknown media type', 'x', 'text/plain', 415],
  ])('%s', async (_title, body, type, code) => {
    const reply = await api.send(`${CORE}/configmaps`, { body, type })
    expect([reply.code, reply.json.status]).toEqual([code, 'Failure'])
    expect(reply.text).not.toMatch(/\\n\s+at /)
  })

  it('a URL and a header that are too long are 431, always', async () => {
    for (let round = 0; round < 10; round++) {
      expect((await api.send(`${CORE}/configmaps?labelSelector=${'y'.repeat(200_000)}`)).code).toBe(431)
      expect((await api.send(CORE, { headers: { 'x-long': 'y'.repeat(200_000) } })).code).toBe(431)
    }
    expect((await api.send(`${CORE}/configmaps`)).code).toBe(200)
  })

  it('a body that breaks off creates nothing', async () => {
    const socket = api.connect()
    await once(socket, 'secureConnect')
    const head = `POST ${CORE}/configmaps HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n`
    socket.write(`${head}{"metadata":{"name":"half"}}`)
    socket.destroy()
    await once(socket, 'close')
    expect((await api.send(`${CORE}/configmaps/half`)).code).toBe(404)
  })

  it('bodies that come slowly do not keep others waiting', async () => {
    const sockets = Array.from({ length: 50 }, () => api.connect())
    await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')))
    for (const socket of sockets) {
      socket.on('error', () => {})
      socket.write(`POST ${CORE}/configmaps HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{`)
    }
    expect((await create('configmaps', { metadata: { name: 'meanwhile' } })).code).toBe(201)
    for (const socket of sockets) socket.destroy()
  })
})
