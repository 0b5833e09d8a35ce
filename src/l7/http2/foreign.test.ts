import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Certificate, TableDelta } from '../table/index.ts'
import { certificateFor } from '../testing/certificates.ts'
import { answeringPod, type RawPod, startEngine } from '../testing/harness.ts'
import { answerOk, type Http2Pod, http2Pod } from '../upstream/http2/testing/pod.ts'

const run = promisify(execFile)

const isThere = async (command: string): Promise<boolean> => {
  try {
    await run(command, ['--version'])
    return true
  } catch {
    console.info(`skipped: ${command} is not installed`)
    return false
  }
}
const [hasCurl, hasNghttp, hasH2load] = await Promise.all([isThere('curl'), isThere('nghttp'), isThere('h2load')])

let builtIn: Certificate
let http1: RawPod
let h2c: Http2Pod
let engine: Awaited<ReturnType<typeof startEngine>>
let folder: string
beforeAll(async () => {
  builtIn = await certificateFor('a.test')
  http1 = await answeringPod(
    (head) =>
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Method: ${head.split(' ')[0]}\r\n\r\n${head.startsWith('HEAD') ? '' : 'ok'}`,
  )
  h2c = await http2Pod(answerOk)
  const route = { match: 'prefix', path: '/h2c', target: { backend: 'h2c', labels: {} } } as const
  const rest = { match: 'prefix', path: '/', target: { backend: 'pods', labels: {} } } as const
  const delta: TableDelta = {
    backends: new Map([['h2c', { protocol: 'h2c', endpoints: [{ address: '127.0.0.1', port: h2c.port }] }]]),
    hosts: new Map([['', { paths: [route, rest] }]]),
  }
  engine = await startEngine([http1.port], {}, { delta, tls: builtIn })
  folder = mkdtempSync(join(tmpdir(), 'fairway-h2-'))
  writeFileSync(join(folder, 'ca.pem'), builtIn.chain)
})
afterAll(async () => {
  await engine.stop()
  http1.close()
  h2c.close()
  rmSync(folder, { recursive: true })
})

describe.each(['/', '/h2c'])('%s', (path) => {
  const url = (): string => `https://127.0.0.1:${engine.tlsPort}${path}`

  it.skipIf(!hasCurl)('curl --http2', async () => {
    const named = ['--resolve', `a.test:${engine.tlsPort}:127.0.0.1`, '--cacert', join(folder, 'ca.pem'), '--http2', '-sS', '-i']
    const at = `https://a.test:${engine.tlsPort}${path}`
    expect((await run('curl', [...named, at])).stdout).toMatch(/^HTTP\/2 200 \r\n.*\r\n\r\nok$/s)
    expect((await run('curl', [...named, '-d', 'x=1', at])).stdout).toMatch(/^HTTP\/2 200 /)
    expect((await run('curl', [...named, '-T', join(folder, 'ca.pem'), at])).stdout).toMatch(/^HTTP\/2 200 /)
  })

  it.skipIf(!hasNghttp)('nghttp, with a body and padding', async () => {
    const upload = join(folder, 'upload')
    writeFileSync(upload, Buffer.alloc(100_000, 'x'))
    const { stdout } = await run('nghttp', ['-v', '--no-verify-peer', '-b', '20', '-d', upload, '-m', '3', url()])
    expect(stdout.match(/:status: 200/g)?.length).toBe(3)
  })

  it.skipIf(!hasH2load)('h2load, 10 connections of 20 requests at a time', async () => {
    const { stdout } = await run('h2load', ['-n', '2000', '-c', '10', '-m', '20', url()])
    expect(stdout).toContain('2000 succeeded, 0 failed, 0 errored, 0 timeout')
  })
})
