import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import type net from 'node:net'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultSettings } from '../settings.ts'
import type { Certificate, ClientAuth } from '../table/index.ts'
import { type Authority, createAuthority } from '../testing/authority.ts'
import { certificateFor } from '../testing/certificates.ts'
import { Certificates } from './certificates.ts'
import { type ClientCertificate, judge } from './client-certificate.ts'
import { TlsListener } from './listener.ts'
import { ServerNames } from './server-names.ts'

interface Seen {
  readonly certificate: string | undefined
  readonly client: ClientCertificate | undefined
}

let root: Authority
let other: Authority
let server: net.Server
let listener: TlsListener
const names = new ServerNames()
let seen: (connection: Seen) => void
const clients = new Map<string, Certificate>()

const auth = (change: Partial<ClientAuth> = {}): ClientAuth => ({
  ca: root.certificate.chain,
  verify: 'required',
  depth: 1,
  passToUpstream: true,
  ...change,
})

beforeAll(async () => {
  root = await createAuthority('CN=Root')
  other = await createAuthority('CN=Other root')
  const one = await root.intermediate('CN=One')
  const two = await one.intermediate('CN=Two')
  clients.set('good', await root.issue('CN=web,O=Example,C=DE'))
  clients.set('expired', await root.issue('CN=late', { validMs: -1_000 }))
  clients.set('one below', await one.issue('CN=below one'))
  const whole = await one.issue('CN=bare')
  clients.set('bare', { ...whole, chain: `${whole.chain.slice(0, whole.chain.indexOf('-----END'))}-----END CERTIFICATE-----\n` })
  clients.set('two below', await two.issue('CN=below two'))
  clients.set('unknown', await other.issue('CN=stranger'))
  clients.set('self-signed', await certificateFor('self'))
  clients.set('odd', await root.issue('CN=Zoë \\, \\"x\\",OU=a+b,O=Müller'))
  const certificates = new Certificates(defaultSettings, () => {})
  certificates.setBuiltIn(await certificateFor('default'))
  certificates.update({
    certificates: new Map([['a', await certificateFor('a.io')]]),
    tlsHosts: new Map([
      ['a.io', 'a'],
      ['plain.io', 'a'],
    ]),
  })
  names.update({
    hosts: new Map(
      ['a.io', 'b.io', 'deep.io', 'rootless.io', 'plain.io', '*.wild.io', 'x.wild.io'].map((host) => [host, { paths: [] }]),
    ),
    clientAuth: new Map([
      ['a.io', auth()],
      ['same.io', auth()],
      ['b.io', auth({ ca: other.certificate.chain })],
      ['deep.io', auth({ depth: 2 })],
      ['bundle.io', auth({ ca: `${one.certificate.chain}\n${two.certificate.chain}\n${root.certificate.chain}` })],
      ['flat.io', auth({ ca: `${one.certificate.chain}\n${root.certificate.chain}`, depth: 0 })],
      ['rootless.io', auth({ ca: '' })],
      ['*.wild.io', auth()],
    ]),
  })
  listener = new TlsListener({
    certificates,
    serverNames: names,
    settings: defaultSettings,
    protocols: ['http/1.1'],
    onConnection: ({ socket, certificate, client }) => {
      socket.resume()
      seen({ certificate, client })
    },
    onPassthrough: () => {},
    onError: () => {},
    onGone: () => {},
  })
  server = listener.server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => server.close())

const connect = async (host: string | undefined, who?: string, options: tls.ConnectionOptions = {}): Promise<Seen> => {
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const certificate = who === undefined ? undefined : clients.get(who)
  const shown = certificate && { cert: certificate.chain, key: certificate.key }
  const result = new Promise<Seen>((resolve) => {
    seen = resolve
  })
  const name = host === undefined ? {} : { servername: host }
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...name, ...shown, ...options })
  socket.on('error', () => {})
  const connection = await result
  socket.destroy()
  return connection
}

/** What a client could resume: the last ticket, or what TLS 1.2 calls the session. */
const sessionOf = async (servername: string, options: tls.ConnectionOptions): Promise<Buffer> => {
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  seen = () => {}
  const socket = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false, ...options })
  await once(socket, 'secureConnect')
  const session = socket.getSession()
  socket.destroy()
  return session ?? Buffer.alloc(0)
}

describe('the verdict on a client of a.io', () => {
  it.each<[string | undefined, string]>([
    [undefined, 'NONE'],
    ['good', 'SUCCESS'],
    ['one below', 'SUCCESS'],
    ['two below', 'FAILED:certificate chain too long'],
    ['expired', 'FAILED:certificate has expired'],
    ['unknown', 'FAILED:unable to verify the first certificate'],
    ['self-signed', 'FAILED:self-signed certificate'],
  ])('with the certificate %s is %s, in TLS 1.2 and 1.3', async (who, verify) => {
    expect((await connect('a.io', who)).client?.verify).toBe(verify)
    expect((await connect('a.io', who, { maxVersion: 'TLSv1.2' })).client?.verify).toBe(verify)
  })

  it('depends on the authorities and the depth of the host', async () => {
    expect((await connect('b.io', 'good')).client?.verify).toMatch(/^FAILED/)
    expect((await connect('b.io', 'unknown')).client?.verify).toBe('SUCCESS')
    expect((await connect('deep.io', 'two below')).client?.verify).toBe('SUCCESS')
    expect((await connect('bundle.io', 'two below')).client?.verify).toBe('FAILED:certificate chain too long')
    expect((await connect('bundle.io', 'one below')).client?.verify).toBe('SUCCESS')
    expect((await connect('flat.io', 'bare')).client?.verify).toBe('FAILED:certificate chain too long')
    expect((await connect('flat.io', 'good')).client?.verify).toBe('SUCCESS')
    expect((await connect('rootless.io', 'good')).client?.verify).toMatch(/^FAILED/)
  })

  it('is not asked for elsewhere', async () => {
    for (const host of ['plain.io', 'x.wild.io', 'nowhere.io', undefined])
      expect((await connect(host, 'good')).client).toBeUndefined()
    expect((await connect('y.wild.io', 'good')).client?.verify).toBe('SUCCESS')
  })

  it('keeps connections apart: the same certificate with other clients is another service', async () => {
    const [a, plain, b] = [await connect('a.io', 'good'), await connect('plain.io'), await connect('b.io')]
    expect(a.certificate).not.toBe(plain.certificate)
    expect(new Set([a.client?.identity, b.client?.identity]).size).toBe(2)
    expect((await connect('same.io')).client?.identity).toBe(a.client?.identity)
  })

  it('is made anew for every connection: no session is resumed', async () => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const good = clients.get('good')
      const shown = { cert: good?.chain, key: good?.key, maxVersion }
      const session = await sessionOf('a.io', shown)
      const again = await connect('a.io', undefined, { maxVersion, session })
      expect(again.client?.verify).toBe('NONE')
      expect((await connect('b.io', undefined, { maxVersion, session })).client?.verify).toBe('NONE')
    }
  })
})

describe('the fields for the pod', () => {
  it('tell the names as OpenSSL does, and the certificate', async () => {
    for (const who of ['good', 'odd']) {
      const pem = clients.get(who)?.chain ?? ''
      const { client } = await connect('a.io', who)
      const lines = new Map(client?.fields.split('\r\n').map((line) => line.split(': ', 2) as [string, string]))
      const [subject, issuer] = execFileSync('openssl', ['x509', '-noout', '-subject', '-issuer', '-nameopt', 'RFC2253'], {
        input: pem,
      })
        .toString()
        .split('\n')
      expect(`subject=${lines.get('ssl-client-subject-dn')}`).toBe(subject)
      expect(`issuer=${lines.get('ssl-client-issuer-dn')}`).toBe(issuer)
      expect(decodeURIComponent(lines.get('ssl-client-cert') ?? '').trim()).toBe(
        `${pem.slice(0, pem.indexOf('-----END')).trim()}\n-----END CERTIFICATE-----`,
      )
      expect(client?.fields).toMatch(/^[ -~\r\n]+$/)
    }
  })
})

describe('the answer to a request', () => {
  const host = (change: Partial<ClientAuth>): ReturnType<ServerNames['clientAuthOf']> => {
    const table = new ServerNames()
    table.update({ clientAuth: new Map([['a.io', auth(change)]]) })
    return table.clientAuthOf('a.io')
  }
  const shown = (identity: string, change: Partial<ClientCertificate>): ClientCertificate => ({
    identity,
    verify: 'SUCCESS',
    commonNames: ['web'],
    isOfUnknownIssuer: false,
    fields: '',
    ...change,
  })

  it.each<[string, Partial<ClientAuth>, Partial<ClientCertificate> | undefined, string]>([
    ['a good one', {}, {}, 'well'],
    ['none', {}, { verify: 'NONE' }, '400 client-certificate-required'],
    ['plain HTTP', {}, undefined, '400 client-certificate-required'],
    ['a bad one', {}, { verify: 'FAILED:x' }, '400 client-certificate-invalid'],
    ['an unknown one', {}, { verify: 'FAILED:x', isOfUnknownIssuer: true }, '400 client-certificate-invalid'],
    ['none where it is optional', { verify: 'optional' }, { verify: 'NONE' }, 'well'],
    ['a bad one where it is optional', { verify: 'optional' }, { verify: 'FAILED:x' }, '400 client-certificate-invalid'],
    ['an unknown one where any is well', { verify: 'optional-no-ca' }, { verify: 'FAILED:x', isOfUnknownIssuer: true }, 'well'],
    ['an expired one where any is well', { verify: 'optional-no-ca' }, { verify: 'FAILED:x' }, '400 client-certificate-invalid'],
    ['the wanted name', { commonName: 'we[bc]' }, {}, 'well'],
    ['another name', { commonName: 'we' }, {}, '403 client-certificate-unauthorized'],
    ['two names', { commonName: 'web' }, { commonNames: ['web', 'evil'] }, '403 client-certificate-unauthorized'],
    ['no name', { commonName: '.*' }, { commonNames: [] }, '403 client-certificate-unauthorized'],
    [
      'none where a name is wanted',
      { verify: 'optional', commonName: 'web' },
      { verify: 'NONE', commonNames: [] },
      '403 client-certificate-unauthorized',
    ],
    ['an expression that cannot be read', { commonName: '(' }, { commonNames: ['('] }, '403 client-certificate-unauthorized'],
    [
      'none where an error page is',
      { errorPage: 'https://e.io/' },
      { verify: 'NONE' },
      '302 client-certificate-required https://e.io/',
    ],
    ['another client authentication', {}, { identity: 'other' }, '421 other-client-authentication'],
  ])('with %s', (_, settings, certificate, expected) => {
    const compiled = host(settings)
    const refusal = judge(compiled, certificate && shown(compiled?.identity ?? '', certificate))
    const text = refusal === undefined ? 'well' : `${refusal.status} ${refusal.reason} ${refusal.location ?? ''}`.trim()
    expect(text).toBe(expected)
  })

  it('of a host that asks for nothing is well', () => {
    expect(judge(undefined, undefined)).toBeUndefined()
  })
})
