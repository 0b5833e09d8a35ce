import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { openCertificates } from './certificates.ts'
import { writeKubeconfig } from './kubeconfig.ts'

const DAY_MS = 86_400_000
let path: string
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'fairway-pki-'))
})
afterEach(() => rm(path, { recursive: true, force: true }))

const admin = { file: 'admin', commonName: 'admin', organizations: ['system:masters'] }
const subjects = ['localhost', '127.0.0.1', 'kubernetes.default.svc', 'fd00::1']

describe('certificates', () => {
  test('the authority signs the server for its names and addresses, and clients with their groups', async () => {
    const certificates = await openCertificates({ path, clock: pausedClock() })
    const authority = new X509Certificate(certificates.authority)
    const server = new X509Certificate((await certificates.server(subjects)).certificate)
    const client = new X509Certificate((await certificates.client(admin)).certificate)
    expect(authority.ca).toBe(true)
    expect([server.verify(authority.publicKey), client.verify(authority.publicKey)]).toEqual([true, true])
    expect(server.checkHost('kubernetes.default.svc')).toBeDefined()
    expect([server.checkIP('127.0.0.1'), server.checkIP('fd00::1')]).toEqual(['127.0.0.1', 'fd00::1'])
    expect(client.subject.split('\n').sort()).toEqual(['CN=admin', 'O=system:masters'])
    expect([server.keyUsage, client.keyUsage]).toEqual([['1.3.6.1.5.5.7.3.1'], ['1.3.6.1.5.5.7.3.2']])
  })

  test('everything is made once and read again', async () => {
    const clock = pausedClock()
    const first = await openCertificates({ path, clock })
    const second = await openCertificates({ path, clock })
    expect(second.authority).toBe(first.authority)
    expect(await second.server(subjects)).toEqual(await first.server(subjects))
    expect(await second.client(admin)).toEqual(await first.client(admin))
  })

  test.each([
    ['the names change', 0, [...subjects, 'other']],
    ['a name is taken away', 0, subjects.slice(1)],
    ['it will expire soon', 300, subjects],
  ])('the server gets a new certificate when %s', async (_, days, wanted) => {
    const clock = pausedClock()
    const first = await (await openCertificates({ path, clock })).server(subjects)
    await clock.advance(days * DAY_MS)
    const certificates = await openCertificates({ path, clock })
    const second = await certificates.server(wanted)
    expect(second.certificate).not.toBe(first.certificate)
    expect(new X509Certificate(second.certificate).verify(new X509Certificate(certificates.authority).publicKey)).toBe(true)
  })

  test.each(['server.crt', 'server.key', 'ca.key'])('a damaged %s is made again', async (file) => {
    const clock = pausedClock()
    const first = await openCertificates({ path, clock })
    await first.server(subjects)
    await writeFile(join(path, file), 'damaged')
    const certificates = await openCertificates({ path, clock })
    const pair = await certificates.server(subjects)
    expect(new X509Certificate(pair.certificate).verify(new X509Certificate(certificates.authority).publicKey)).toBe(true)
  })

  test('nobody else can read keys, or the kubeconfig that holds one', async () => {
    const certificates = await openCertificates({ path, clock: pausedClock() })
    const client = await certificates.client(admin)
    const file = join(path, 'kubeconfig')
    await writeFile(file, 'old', { mode: 0o644 })
    const options = {
      name: 'fairway',
      user: 'admin',
      server: 'https://127.0.0.1:6443',
      authority: certificates.authority,
      client,
    }
    await writeKubeconfig(file, options)
    for (const each of [file, join(path, 'ca.key'), join(path, 'admin.key')]) expect((await stat(each)).mode & 0o777).toBe(0o600)
    expect((await stat(path)).mode & 0o777).toBe(0o700)
    const config = parse(await readFile(file, 'utf8'))
    expect(config).toMatchObject({ 'current-context': 'fairway', clusters: [{ cluster: { server: 'https://127.0.0.1:6443' } }] })
    expect(Buffer.from(config.users[0].user['client-key-data'], 'base64').toString()).toBe(client.key)
  })
})
