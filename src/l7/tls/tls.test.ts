import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Certificate } from '../table/index.ts'
import { certificateFor } from '../testing/certificates.ts'
import { answeringPod, everything, type RawPod, startEngine } from '../testing/harness.ts'
import { openssl } from '../testing/openssl.ts'
import { createSelfSigned } from './self-signed.ts'

const OPENSSL = 'openssl'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

let pod: RawPod
let builtIn: Certificate
let a: Certificate
let wild: Certificate
beforeAll(async () => {
  pod = await answeringPod(OK)
  builtIn = await createSelfSigned(Date.now())
  a = await certificateFor('a.example.com')
  wild = await certificateFor('*.example.com')
})
afterAll(() => pod.close())

const engine = async (): Promise<Awaited<ReturnType<typeof startEngine>>> => {
  const delta = {
    hosts: new Map([['', everything('pods')]]),
    tlsHosts: new Map([
      ['a.example.com', 'a'],
      ['*.example.com', 'wild'],
      ['broken.io', 'broken'],
    ]),
    certificates: new Map([
      ['a', a],
      ['wild', wild],
      ['broken', { chain: 'no certificate', key: 'no key' }],
    ]),
  }
  const started = await startEngine([pod.port], {}, { delta, tls: builtIn })
  cleanup.push(() => started.stop())
  return started
}

const handshake = (port: number, servername: string | undefined, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> =>
  new Promise((resolve, reject) => {
    const sni = servername === undefined ? {} : { servername }
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...sni, ...options }, () => resolve(socket))
    socket.once('error', reject)
    cleanup.push(() => socket.destroy())
  })

const commonName = (socket: tls.TLSSocket): string => {
  const { CN } = socket.getPeerCertificate().subject
  return Array.isArray(CN) ? CN.join() : CN
}

const ask = (socket: tls.TLSSocket, host: string): Promise<string> =>
  new Promise((resolve) => {
    socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')))
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  })

describe('the certificate', () => {
  it.each<[string | undefined, string]>([
    ['a.example.com', 'a.example.com'],
    ['A.Example.COM', 'a.example.com'],
    ['b.example.com', '*.example.com'],
    ['x.b.example.com', 'Fairway default certificate'],
    ['elsewhere.io', 'Fairway default certificate'],
    ['broken.io', 'Fairway default certificate'],
    [undefined, 'Fairway default certificate'],
  ])('for %s is %s', async (servername, name) => {
    const { tlsPort } = await engine()
    expect(commonName(await handshake(tlsPort, servername))).toBe(name)
  })

  it('may have an RSA key', async () => {
    const { tlsPort, dataPlane } = await engine()
    const args = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=rsa.io',
      '-days',
      '1',
      '-keyout',
      '-',
      '-out',
      '-',
    ]
    const pem = execFileSync(OPENSSL, args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString()
    const block = (label: string): string =>
      new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`).exec(pem)?.[0] ?? ''
    const [chain, key] = [block('CERTIFICATE'), block('PRIVATE KEY')]
    dataPlane.update({ tlsHosts: new Map([['rsa.io', 'rsa']]), certificates: new Map([['rsa', { chain, key }]]) })
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
      expect(commonName(await handshake(tlsPort, 'rsa.io', { maxVersion }))).toBe('rsa.io')
    expect(commonName(await handshake(tlsPort, 'a.example.com'))).toBe('a.example.com')
  })

  it('that breaks harms its host alone, also when it was good before', async () => {
    const { tlsPort, dataPlane } = await engine()
    const open = await handshake(tlsPort, 'a.example.com')
    dataPlane.update({ certificates: new Map([['a', { chain: a.chain, key: wild.key }]]) })
    expect(commonName(await handshake(tlsPort, 'a.example.com'))).toBe('*.example.com')
    expect(commonName(await handshake(tlsPort, 'b.example.com'))).toBe('*.example.com')
    expect(await ask(open, 'b.example.com')).toContain('HTTP/1.1')
    dataPlane.update({ certificates: new Map([['a', a]]) })
    expect(commonName(await handshake(tlsPort, 'a.example.com'))).toBe('a.example.com')
  })

  it('is exchanged without closing a connection', async () => {
    const { tlsPort, dataPlane } = await engine()
    const before = await handshake(tlsPort, 'a.example.com')
    const next = await certificateFor('a.example.com')
    dataPlane.update({ certificates: new Map([['a', next]]) })
    const after = await handshake(tlsPort, 'a.example.com')
    expect(after.getPeerCertificate().fingerprint256).not.toBe(before.getPeerCertificate().fingerprint256)
    expect(await ask(before, 'a.example.com')).toBe(OK)
  })

  it('named by the table for all hosts is the default', async () => {
    const { tlsPort, dataPlane } = await engine()
    dataPlane.update({ tlsHosts: new Map([['', 'wild']]) })
    expect(commonName(await handshake(tlsPort, undefined))).toBe('*.example.com')
    expect(commonName(await handshake(tlsPort, 'elsewhere.io'))).toBe('*.example.com')
    dataPlane.update({ tlsHosts: new Map([['', null]]) })
    expect(commonName(await handshake(tlsPort, undefined))).toBe('Fairway default certificate')
  })
})

describe('the connection', () => {
  it('speaks TLS 1.2 and 1.3, nothing older', async () => {
    const { tlsPort } = await engine()
    const socket = await handshake(tlsPort, 'a.example.com', { ALPNProtocols: ['http/1.1'] })
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(['TLSv1.3', 'http/1.1'])
    expect((await handshake(tlsPort, 'a.example.com', { maxVersion: 'TLSv1.2' })).getProtocol()).toBe('TLSv1.2')
    const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await expect(handshake(tlsPort, 'a.example.com', old)).rejects.toThrow()
  })

  it.each([
    ['AES128-SHA', '-tls1_2', false],
    ['ECDHE-ECDSA-AES128-SHA256', '-tls1_2', false],
    ['ECDHE-ECDSA-AES256-GCM-SHA384', '-tls1_2', true],
    ['ECDHE-ECDSA-CHACHA20-POLY1305', '-tls1_2', true],
  ])('takes %s: %s %s', async (cipher, version, isTaken) => {
    const { tlsPort } = await engine()
    const text = await openssl(tlsPort, ['-servername', 'a.example.com', version, '-cipher', `${cipher}:@SECLEVEL=0`])
    expect(text.includes(`Cipher is ${cipher}`)).toBe(isTaken)
  })

  it.each([
    ['TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256'],
    ['TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'],
  ])('of clients that offer %s chooses %s', async (offered, chosen) => {
    const { tlsPort } = await engine()
    const text = await openssl(tlsPort, ['-servername', 'a.example.com', '-ciphersuites', offered])
    expect(text).toContain(`Cipher is ${chosen}`)
  })

  it('is not renegotiated', async () => {
    const { tlsPort } = await engine()
    // A line that begins with R asks for it.
    const text = await openssl(tlsPort, ['-servername', 'a.example.com', '-tls1_2'], 'R\n')
    expect(text).toContain('RENEGOTIATING')
    expect(text).toMatch(/no renegotiation|alert|error/i)
  })

  it('carries nothing that only a client certificate may say', async () => {
    const { tlsPort } = await engine()
    const socket = await handshake(tlsPort, 'a.example.com')
    const names = ['ssl-client-verify', 'SSL-Client-Subject-DN', 'ssl_client_issuer_dn', 'ssl-client-cert']
    socket.write(
      `GET / HTTP/1.1\r\nHost: a.example.com\r\n${names.map((name) => `${name}: SUCCESS\r\n`).join('')}X-Kept: 1\r\n\r\n`,
    )
    await new Promise((resolve) => socket.once('data', resolve))
    expect(pod.received.at(-1)).toContain('X-Kept: 1')
    expect(pod.received.at(-1)).not.toMatch(/ssl.client/i)
  })

  it.each<[string | undefined, string, string]>([
    ['a.example.com', 'a.example.com', '200'],
    ['b.example.com', 'c.example.com', '200'],
    ['a.example.com', 'b.example.com', '421'],
    ['b.example.com', 'a.example.com', '421'],
    ['elsewhere.io', 'a.example.com', '421'],
    [undefined, 'a.example.com', '200'],
  ])('for %s, asked for %s, answers %s', async (servername, host, status) => {
    const { tlsPort } = await engine()
    expect(await ask(await handshake(tlsPort, servername), host)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  it('tells the pod that it is https', async () => {
    const { tlsPort } = await engine()
    await ask(await handshake(tlsPort, 'a.example.com'), 'a.example.com')
    expect(pod.received.at(-1)).toContain(`X-Forwarded-Proto: https\r\nX-Forwarded-Port: ${tlsPort}\r\n`)
  })

  it('survives bytes that are no TLS', async () => {
    const { tlsPort, dataPlane } = await engine()
    await expect(handshake(tlsPort, undefined, { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_CCM_SHA256' })).rejects.toThrow()
    expect(dataPlane.stats.tlsErrors).toBe(1)
    expect(await ask(await handshake(tlsPort, 'a.example.com'), 'a.example.com')).toBe(OK)
  })
})

describe('openssl s_client', () => {
  it('verifies the chain for the name that it asks for', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fairway-tls-'))
    cleanup.push(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'ca.pem'), a.chain)
    const { tlsPort } = await engine()
    const args = [
      's_client',
      '-connect',
      `127.0.0.1:${tlsPort}`,
      '-servername',
      'a.example.com',
      '-verify_hostname',
      'a.example.com',
      '-CAfile',
      join(folder, 'ca.pem'),
      '-quiet',
      '-verify_return_error',
    ]
    const child = spawn(OPENSSL, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    cleanup.push(() => child.kill())
    const answer = await new Promise<string>((resolve, reject) => {
      let errors = ''
      child.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')))
      child.stderr.on('data', (bytes: Buffer) => {
        errors += bytes.toString('latin1')
      })
      child.once('exit', () => reject(new Error(errors)))
      child.stdin.write('GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n')
    })
    expect(answer).toBe(OK)
  })
})
