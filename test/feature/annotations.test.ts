import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { command } from '../support/instance.ts'
import { type Echo, ingress, path, pod, service, startWorld, variants, type World } from '../support/world.ts'

const annotated = (name: string, host: string, annotations: Readonly<Record<string, string>>, paths = [path('/', 'one')]) => {
  const object = ingress(name, host, paths)
  const prefixed = Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value])
  return { ...object, metadata: { ...object.metadata, annotations: Object.fromEntries(prefixed) } }
}

/** The password is `pass`. */
const ANN = 'ann:$2b$04$qNwCEmb2ZYRXSJR9Oeu/heLIXEvZ/ipJoccXKojjKXMqs1j9kO4lO'

const objects = [
  annotated('rewritten', 'rewrite.example', { 'rewrite-target': '/$2', 'x-forwarded-prefix': '/api' }, [
    path('/api(/|$)(.*)', 'one', 'ImplementationSpecific'),
  ]),
  annotated('moved', 'moved.example', {
    'permanent-redirect': 'https://new.example$request_uri',
    'permanent-redirect-code': '308',
  }),
  annotated('www', 'twin.example', { 'from-to-www-redirect': 'true', 'app-root': '/app' }),
  annotated('forced', 'forced.example', { 'force-ssl-redirect': 'true' }),
  annotated('alias', 'alias.example', { 'server-alias': 'other.example' }),
  annotated('closed', 'closed.example', { 'denylist-source-range': '127.0.0.0/8, ::1, 10.0.0.0/8' }),
  annotated('broken', 'broken.example', { 'whitelist-source-range': 'everybody' }),
  annotated('secret', 'secret.example', { 'auth-type': 'basic', 'auth-secret': 'users' }),
  annotated('small', 'small.example', { 'proxy-body-size': '1k' }),
  annotated('lifted', 'lifted.example', {
    'configuration-snippet': 'more_set_headers "X-Lifted: yes";\nproxy_set_header X-Seen $request_method;',
  }),
  annotated('main', 'canary.example', {}),
  annotated('canary', 'canary.example', { canary: 'true', 'canary-by-header': 'X-Canary' }, [path('/', 'two')]),
]

describe.each(variants(23))('annotations of ingress-nginx, $title', ({ asUser, slot }) => {
  let world: World

  beforeAll(async () => {
    world = await startWorld({ asUser, slot })
    await world.apply([pod('one'), pod('two'), service('one'), service('two'), ...objects])
    await world.kubectl.ok(['wait', '--for=condition=Ready', 'pod/one', 'pod/two', '--timeout=60s'])
    await vi.waitFor(async () => expect((await world.ingress('canary.example', '/')).pod).toBe('one'), { timeout: 15_000 })
  })
  afterAll(() => world?.close())

  /** Status, and the fields of the answer in lower case. */
  const head = async (host: string, at: string): Promise<{ readonly code: number; readonly fields: string }> => {
    const url = new URL(at, world.instance.status.ingress.http).href
    const { stdout } = await command('curl', ['-sS', '-m', '10', '-o', '/dev/null', '-D', '-', '-H', `Host: ${host}`, url])
    return { code: Number(stdout.split(' ')[1]), fields: stdout.toLowerCase() }
  }

  it.each<[string, string, string, readonly string[], Partial<Echo>]>([
    [
      'rewrites',
      'rewrite.example',
      '/api/x?y=1',
      [],
      { code: 200, path: '/x?y=1', headers: expect.objectContaining({ 'x-forwarded-prefix': '/api' }) },
    ],
    ['takes an expression without case', 'rewrite.example', '/API', [], { code: 200, path: '/' }],
    ['takes no more than the expression', 'rewrite.example', '/apix', [], { code: 404 }],
    ['serves an alias', 'other.example', '/', [], { code: 200, pod: 'one' }],
    ['keeps some out', 'closed.example', '/', [], { code: 403 }],
    ['keeps all out when it cannot read who may come', 'broken.example', '/', [], { code: 403 }],
    ['keeps all out while there is no Secret', 'secret.example', '/', ['-u', 'ann:pass'], { code: 503 }],
    ['refuses a large body', 'small.example', '/', ['-d', 'x'.repeat(2_000)], { code: 413 }],
    ['takes a small one', 'small.example', '/', ['-d', 'x'], { code: 200 }],
    ['lifts a snippet', 'lifted.example', '/', [], { code: 200, headers: expect.objectContaining({ 'x-seen': 'GET' }) }],
    ['sends few to a canary', 'canary.example', '/', ['-H', 'X-Canary: always'], { code: 200, pod: 'two' }],
    ['sends the others past it', 'canary.example', '/', ['-H', 'X-Canary: never'], { code: 200, pod: 'one' }],
  ])('%s', async (_, host, at, args, expected) => {
    expect(await world.ingress(host, at, ...args)).toMatchObject(expected)
  })

  it.each([
    ['moved.example', '/a?b=c', 308, 'location: https://new.example/a?b=c'],
    ['twin.example', '/', 302, 'location: /app'],
    ['www.twin.example', '/x', 308, 'location: http://twin.example/x'],
    ['lifted.example', '/', 200, 'x-lifted: yes'],
  ])('%s%s is answered %i with %j', async (host, at, code, field) => {
    const answer = await head(host, at)
    expect(answer.code).toBe(code)
    expect(answer.fields).toContain(`\n${field}\r\n`)
  })

  it('leads to the port where https is', async () => {
    const { port } = new URL(world.instance.status.ingress.https)
    const answer = await head('forced.example', '/x')
    expect(answer.code).toBe(308)
    expect(answer.fields).toContain(`location: https://forced.example${port === '' ? '' : `:${port}`}/x\r\n`)
  })

  it('asks for a password as soon as the Secret is there', async () => {
    await world.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'users' }, stringData: { auth: ANN } })
    const code = async (...args: readonly string[]) => (await world.ingress('secret.example', '/', ...args)).code
    await expect.poll(() => code(), { timeout: 15_000 }).toBe(401)
    expect(await code('-u', 'ann:wrong')).toBe(401)
    expect(await code('-u', 'ann:pass')).toBe(200)
  })

  it('is told of by an Event, explained and audited', async () => {
    const events = await world.kubectl.ok(['get', 'events', '--field-selector', 'involvedObject.name=broken', '-o', 'name'])
    expect(events).not.toBe('')
    const { kubeconfig } = world.instance.status
    const audit = await command(process.execPath, [
      'dist/cli/main.js',
      'ingress',
      'audit',
      '--kubeconfig',
      kubeconfig,
      '-o',
      'json',
    ])
    expect(audit.code).toBe(1)
    const { entries } = JSON.parse(audit.stdout)
    expect(entries).toContainEqual(expect.objectContaining({ ingress: 'default/broken', verdict: 'refused' }))
  })
})
