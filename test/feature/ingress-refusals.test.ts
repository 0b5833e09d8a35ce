import { once } from 'node:events'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runIngress } from '../support/ingress.ts'
import { newDataDir } from '../support/instance.ts'
import { freePort } from '../support/proxy.ts'

describe('fairway ingress, what goes wrong', () => {
  let folder: string
  let taken = 0
  const closes: (() => void)[] = []

  /** An API server that has one answer. */
  const server = async (answer: (path: string) => { readonly code: number; readonly body: object }): Promise<number> => {
    const http = createHttpServer(({ url = '' }, response) => {
      const { code, body } = answer(url)
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }).listen(0, '127.0.0.1')
    await once(http, 'listening')
    closes.push(() => {
      http.closeAllConnections()
      http.close()
    })
    return (http.address() as AddressInfo).port
  }

  beforeAll(async () => {
    folder = await newDataDir(false)
    await chmod(folder, 0o755)
    const kubeconfig = (url: string): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server: url } }],
        users: [{ name: 'u', user: {} }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      })
    const status = (code: number, reason: string, message: string) => ({
      code,
      body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message },
    })
    const empty = { code: 200, body: { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items: [] } }
    await writeFile(join(folder, 'absent'), kubeconfig(`https://127.0.0.1:${await freePort()}`))
    await writeFile(join(folder, 'broken'), 'clusters: [')
    await writeFile(
      join(folder, 'closed'),
      kubeconfig(`http://127.0.0.1:${await server(() => status(403, 'Forbidden', 'ingresses is forbidden'))}`),
    )
    await writeFile(
      join(folder, 'stranger'),
      kubeconfig(`http://127.0.0.1:${await server(() => status(401, 'Unauthorized', 'Unauthorized'))}`),
    )
    await writeFile(
      join(folder, 'web'),
      kubeconfig(`http://127.0.0.1:${await server(() => ({ code: 200, body: { hello: 'world' } }))}`),
    )
    await writeFile(
      join(folder, 'lists'),
      kubeconfig(
        `http://127.0.0.1:${await server((path) => (path.includes('watch=true') ? status(422, 'Invalid', 'sendInitialEvents: Forbidden') : empty))}`,
      ),
    )
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    taken = (holder.address() as AddressInfo).port
    closes.push(() => holder.close())
  })
  afterAll(async () => {
    for (const close of closes) close()
    await rm(folder, { recursive: true, force: true })
  })

  it.each([
    ['no kubeconfig', [], 1, /^fairway: no API server: name a kubeconfig with --kubeconfig, or run in a pod$/],
    [
      'a kubeconfig that is not there',
      ['--kubeconfig', '/nonexistent'],
      1,
      /^fairway: the kubeconfig \/nonexistent can't be read/,
    ],
    ['a kubeconfig that is none', ['--kubeconfig', 'DIR/broken'], 1, /^fairway: .*DIR\/broken/],
    [
      'a server that is not there',
      ['--kubeconfig', 'DIR/absent'],
      1,
      /^fairway: no answer from the API server .*ECONNREFUSED.*; check that it runs/,
    ],
    ['a server that is none', ['--kubeconfig', 'DIR/web'], 1, /^fairway: no answer from the API server .*is the address right/],
    [
      'credentials that nobody knows',
      ['--kubeconfig', 'DIR/stranger'],
      1,
      /^fairway: the API server .* does not know who this is/,
    ],
    [
      'no right to read Ingresses',
      ['--kubeconfig', 'DIR/closed'],
      1,
      /^fairway: .*ingresses is forbidden; bind the ClusterRole fairway-ingress/,
    ],
    [
      'a port that is taken',
      ['--kubeconfig', 'DIR/lists', '--http', '127.0.0.1:TAKEN', '--https', '', '--health', '', '--metrics', ''],
      1,
      /^fairway: ingress: 127.0.0.1 port TAKEN is already in use; .*--http$/,
    ],
    [
      'a probe’s port that is taken',
      ['--kubeconfig', 'DIR/lists', '--health', '127.0.0.1:TAKEN'],
      1,
      /^fairway: --health 127.0.0.1:TAKEN cannot be had: .*EADDRINUSE.*; choose another address$/,
    ],
    [
      'several wrong values at once',
      ['--http', 'x', '--workers', 'many', '--publish-service', 'web', '--trusted-proxies', '10.0.0.0/33'],
      2,
      /^fairway: --publish-service "web" is not namespace\/name; --http "x" is not .*; --workers "many" is not .*; --trusted-proxies "10.0.0.0\/33" is not a list of CIDRs/,
    ],
    [
      'two ways to publish',
      ['--publish-service', 'a/b', '--publish-status-address', '192.0.2.1'],
      2,
      /^fairway: --publish-service and --publish-status-address exclude each other$/,
    ],
    ['nothing to serve', ['--http=', '--https='], 2, /^fairway: --http and --https are both empty/],
    ['a flag that is not there', ['--ingres-class', 'x'], 2, /^error: unknown option '--ingres-class'/],
  ] as const)('%s: one line that says what to do', async (_title, args, code, expected) => {
    const fill = (text: string): string => text.replaceAll('DIR', folder).replaceAll('TAKEN', String(taken))
    const result = await runIngress(args.map(fill))
    const lines = result.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{') && !line.startsWith('('))
    expect(lines.slice(0, 1)).toEqual([expect.stringMatching(new RegExp(fill(expected.source)))])
    expect(result.code).toBe(code)
    expect(lines.filter((line) => line.startsWith('fairway:') || line.startsWith('    at'))).toHaveLength(
      code === 2 && args[0]?.startsWith('--ingres-') ? 0 : 1,
    )
  })
})
