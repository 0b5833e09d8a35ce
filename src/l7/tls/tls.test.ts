import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Certificate } from '../table/index.ts'
import { certificateFor } from '../testing/certificates.ts'
import { answeringPod, everything, type RawPod, startEngine } from '../testing/harness.ts'
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
