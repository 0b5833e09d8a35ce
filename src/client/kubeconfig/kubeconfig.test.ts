import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UserError } from '../../base/index.ts'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { createIdentitySource } from '../http/credentials.ts'
import { inClusterConnection } from './in-cluster.ts'
import { loadKubeconfig } from './load.ts'

const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const config = ({
  cluster = 'server: https://h:6443',
  user = 'token: abc',
  context = 'cluster: c, user: u',
  current = 'x',
} = {}): string => `
apiVersion: v1
kind: Config
current-context: ${current}
clusters: [{ name: c, cluster: { ${cluster} } }]
users: [{ name: u, user: { ${user} } }]
contexts: [{ name: x, context: { ${context} } }, { name: y, context: { cluster: c, user: "" } }]
`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-kubeconfig-'))
  await writeFile(join(folder, 'ca.pem'), PEM)
  await writeFile(join(folder, 'token'), 'one\n')
  await writeFile(
    join(folder, 'config'),
    config({ cluster: 'server: https://h:6443/path, certificate-authority: ca.pem', user: 'tokenFile: token' }),
  )
  await writeFile(join(folder, 'second'), config({ current: 'y' }).replace('name: y', 'name: z'))
  await writeFile(
    join(folder, 'plugin'),
    '#!/bin/sh\necho "{\\"kind\\":\\"ExecCredential\\",\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",\\"status\\":{\\"token\\":\\"$WHO-$1\\"}}"\n',
  )
  await chmod(join(folder, 'plugin'), 0o755)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('kubeconfig', () => {
  it('reads files beside it', async () => {
    expect(await loadKubeconfig({ path: join(folder, 'config') })).toEqual({
      server: 'https://h:6443/path',
      tls: { ca: PEM, insecureSkipVerify: false },
      credentials: { kind: 'tokenFile', path: join(folder, 'token') },
      namespace: 'default',
    })
  })

  it('takes data before files, and the context that is asked for', async () => {
    const text = config({
      cluster: `server: https://h, certificate-authority-data: ${base64(PEM)}, certificate-authority: nosuch, tls-server-name: api`,
      user: `client-certificate-data: ${base64(PEM)}, client-key-data: ${base64(PEM)}`,
      context: 'cluster: c, user: u, namespace: shop',
    })
    expect(await loadKubeconfig({ text })).toMatchObject({
      tls: { ca: PEM, cert: PEM, key: PEM, serverName: 'api' },
      credentials: { kind: 'none' },
      namespace: 'shop',
    })
    expect((await loadKubeconfig({ text, context: 'y' })).tls.cert).toBeUndefined()
  })

  it('merges several files: the first that says something counts, missing ones do not matter', async () => {
    const path = ['nosuch', 'config', 'second'].map((name) => join(folder, name)).join(':')
    expect((await loadKubeconfig({ path })).server).toBe('https://h:6443/path')
    expect((await loadKubeconfig({ path, context: 'z' })).credentials.kind).toBe('none')
  })

  it.each([
    ['basic', 'username: a, password: b', { kind: 'basic', username: 'a', password: 'b' }],
    ['a token', 'token: abc', { kind: 'token', token: 'abc' }],
    ['a token file before a token', 'token: abc, tokenFile: /t', { kind: 'tokenFile', path: '/t' }],
    ['nobody', '', { kind: 'none' }],
  ])('knows %s', async (_, user, credentials) => {
    expect((await loadKubeconfig({ text: config({ user }) })).credentials).toEqual(credentials)
  })

  it.each([
    ['no YAML', '{', 'is not YAML'],
    ['nothing', '', 'is empty or not a kubeconfig'],
    ['another kind', 'kind: Pod', 'is a Pod, not a Config'],
    ['no current-context', config({ current: '""' }), 'has no current-context; choose one of: x, y'],
    ['an unknown context', config({ current: 'q' }), 'has no context "q"; it has: x, y'],
    ['an unknown cluster', config({ context: 'cluster: d, user: u' }), 'names cluster "d", which is not there; there are: c'],
    ['an unknown user', config({ context: 'cluster: c, user: v' }), 'names user "v", which is not there; there are: u'],
    ['no server', config({ cluster: '' }), 'cluster "c" has no server'],
    ['a server that is no address', config({ cluster: 'server: "h:6443"' }), 'is not a http or https address'],
    ['a proxy', config({ cluster: 'server: https://h, proxy-url: http://p' }), 'proxy-url is not supported'],
    [
      'a CA and none',
      config({ cluster: `server: https://h, insecure-skip-tls-verify: true, certificate-authority: ca.pem` }),
      'exclude each other',
    ],
    [
      'a flag that is text',
      config({ cluster: 'server: https://h, insecure-skip-tls-verify: "true"' }),
      'is neither true nor false',
    ],
    [
      'a missing CA file',
      config({ cluster: 'server: https://h, certificate-authority: /nosuch.pem' }),
      "/nosuch.pem can't be read",
    ],
    [
      'a CA that is no PEM',
      config({ cluster: `server: https://h, certificate-authority-data: ${base64('x')}` }),
      'holds no PEM text',
    ],
    ['data that is no base64', config({ cluster: 'server: https://h, certificate-authority-data: "???"' }), 'is not base64'],
    ['a certificate without key', config({ user: `client-certificate-data: ${base64(PEM)}` }), 'certificate without its key'],
    ['a token with a line break', config({ user: 'token: "a\\nX-Evil: 1"' }), 'characters that no token has'],
    ['half a password', config({ user: 'username: a' }), 'go together'],
    ['impersonation', config({ user: 'as: root' }), 'impersonation'],
    ['an auth-provider', config({ user: 'auth-provider: {name: gcp}' }), 'use an exec plugin'],
    [
      'an old plugin',
      config({ user: 'exec: {command: a, apiVersion: client.authentication.k8s.io/v1alpha1}' }),
      'is not supported; there are:',
    ],
    ['a list that is none', 'clusters: 3', 'clusters is not a list'],
    ['a hostile key', config({ context: '__proto__: {cluster: c}' }), 'names no cluster'],
  ])('refuses %s', async (_, text, message) => {
    const error = await loadKubeconfig({ text }).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(UserError)
    expect((error as UserError).message).toContain(message)
  })

  it('names a file that is not there', async () => {
    await expect(loadKubeconfig({ path: join(folder, 'nosuch') })).rejects.toThrow(
      `the kubeconfig ${join(folder, 'nosuch')} can't be read`,
    )
  })
})

describe('credentials', () => {
  it('reads a token file again after a minute', async () => {
    const clock = pausedClock()
    const path = join(folder, 'rotated')
    await writeFile(path, 'one')
    const source = createIdentitySource({ kind: 'tokenFile', path }, clock)
    expect(await source.current()).toEqual({ authorization: 'Bearer one' })
    await writeFile(path, 'two')
    expect(await source.current()).toEqual({ authorization: 'Bearer one' })
    await clock.advance(60_000)
    expect(await source.current()).toEqual({ authorization: 'Bearer two' })
  })

  it('runs a plugin once, and again when the server refused what it gave', async () => {
    const text = config({
      user: `exec: { apiVersion: client.authentication.k8s.io/v1, command: ${join(folder, 'plugin')}, args: [arg], env: [{ name: WHO, value: me }] }`,
    })
    const { credentials } = await loadKubeconfig({ text })
    const source = createIdentitySource(credentials, pausedClock())
    expect(await source.current()).toEqual({ authorization: 'Bearer me-arg' })
    expect(source.refuse()).toBe(true)
    expect(await source.current()).toEqual({ authorization: 'Bearer me-arg' })
  })

  it.each([
    ['is not installed', '/nosuch/plugin', "isn't installed: get it at example.com"],
    ['fails', '/bin/false', 'failed with exit code 1'],
    ['prints something else', '/bin/echo', 'printed something that is not JSON'],
  ])('says so when a plugin %s', async (_, command, message) => {
    const plugin = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command,
      args: [],
      env: {},
      installHint: 'get it at example.com',
    }
    await expect(createIdentitySource({ kind: 'exec', plugin }, pausedClock()).current()).rejects.toThrow(message)
  })
})

describe('in-cluster', () => {
  it('uses the mounted service account', async () => {
    await writeFile(join(folder, 'ca.crt'), PEM)
    await writeFile(join(folder, 'namespace'), 'shop')
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }
    expect(await inClusterConnection({ env, folder })).toEqual({
      server: 'https://[fd00::1]:443',
      tls: { ca: PEM, insecureSkipVerify: false },
      credentials: { kind: 'tokenFile', path: join(folder, 'token') },
      namespace: 'shop',
    })
    await expect(inClusterConnection({ env: {}, folder })).rejects.toThrow('this is not a pod')
  })
})
