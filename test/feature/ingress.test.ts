import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { command } from '../support/instance.ts'
import { ingress, path, pod, service, startWorld, variants, type World } from '../support/world.ts'

const HOST = 'kept.example'

describe.each(variants(19))('connections to the Ingress, $title', ({ asUser, slot }) => {
  let world: World
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairway-ingress-'))
    world = await startWorld({ asUser, slot })
    await world.apply([pod('one'), pod('two'), service('one'), service('two'), ingress('kept', HOST, [path('/', 'one')])])
    await world.kubectl.ok(['wait', '--for=condition=Ready', 'pod/one', 'pod/two', '--timeout=60s'])
  })
  afterAll(async () => {
    await world?.close()
    await rm(folder, { recursive: true, force: true })
  })

  it('a kept connection survives route changes and follows them', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports = new Set<number | undefined>()
    const ask = async (): Promise<string> => {
      const asked = request(world.instance.status.ingress.http, { agent, headers: { host: HOST } }).end()
      asked.once('socket', (socket) => socket.connecting || ports.add(socket.localPort))
      const [response] = await once(asked, 'response')
      ports.add(response.socket.localPort)
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk)
      return response.statusCode === 200 ? JSON.parse(Buffer.concat(chunks).toString()).pod : String(response.statusCode)
    }
    await expect.poll(ask, { timeout: 15_000 }).toBe('one')
    for (const to of ['two', 'one']) {
      await world.apply(ingress('kept', HOST, [path('/', to)]))
      await expect.poll(ask, { timeout: 15_000, interval: 20 }).toBe(to)
    }
    expect(ports.size).toBe(1)
    agent.destroy()
  })

  it('takes 64 MB up, whole', async () => {
    const asked = request(world.instance.status.ingress.http, { method: 'POST', headers: { host: HOST } })
    const chunk = Buffer.alloc(1 << 20, 'x')
    for (let index = 0; index < 64; index++) if (!asked.write(chunk)) await once(asked, 'drain')
    asked.end()
    const [response] = await once(asked, 'response')
    const chunks: Buffer[] = []
    for await (const part of response) chunks.push(part)
    expect(response.statusCode).toBe(200)
    expect(JSON.parse(Buffer.concat(chunks).toString()).body).toHaveLength(1 << 20)
  })

  it('renews a certificate without cutting a connection', async () => {
    const tls = { tls: [{ hosts: [HOST], secretName: 'kept-tls' }] }
    await secret('first')
    await world.apply(ingress('kept', HOST, [path('/', 'one')], { ...ingress('kept', HOST, [path('/', 'one')]).spec, ...tls }))
    await expect.poll(async () => organization(await open()), { timeout: 15_000 }).toBe('first')
    const kept = await open()
    expect(await askOver(kept)).toContain('200 OK')
    await secret('second')
    await expect.poll(async () => organization(await open()), { timeout: 15_000 }).toBe('second')
    expect(await askOver(kept)).toContain('200 OK')
    kept.destroy()
  })

  const secret = async (by: string): Promise<void> => {
    const files = ['-keyout', `${folder}/${by}.key`, '-out', `${folder}/${by}.crt`]
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    const subject = ['-subj', `/O=${by}/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`]
    expect((await command('openssl', ['req', '-x509', ...key, ...subject, ...files])).code).toBe(0)
    const pair = [`--cert=${folder}/${by}.crt`, `--key=${folder}/${by}.key`]
    const manifest = await world.kubectl.ok(['create', 'secret', 'tls', 'kept-tls', ...pair, '--dry-run=client', '-o', 'yaml'])
    await world.kubectl.ok(['apply', '-f', '-'], manifest)
  }

  const open = async (): Promise<TLSSocket> => {
    const { port } = new URL(world.instance.status.ingress.https)
    const socket = connect({ host: '127.0.0.1', port: Number(port), servername: HOST, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    return socket
  }

  const organization = (socket: TLSSocket): string => {
    const { O } = socket.getPeerCertificate().subject
    socket.destroy()
    return String(O)
  }

  const askOver = async (socket: TLSSocket): Promise<string> => {
    socket.write(`GET /status/200 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    const [head] = (await once(socket, 'data', { signal: AbortSignal.timeout(5000) })) as [Buffer]
    return head.toString()
  }
})
