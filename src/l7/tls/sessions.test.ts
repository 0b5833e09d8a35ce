import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../base/index.ts'
import type { DataPlane } from '../data-plane.ts'
import type { Certificate, TableDelta } from '../table/index.ts'
import { type Authority, createAuthority } from '../testing/authority.ts'
import { certificateFor } from '../testing/certificates.ts'
import { everything, startEngine } from '../testing/harness.ts'
import { openssl } from '../testing/openssl.ts'
import { createEngine, type RunningEngine } from '../workers/engine.ts'

const VERSIONS = ['-tls1_2', '-tls1_3']
const REQUEST = 'GET / HTTP/1.1\r\nHost: a.io\r\nConnection: close\r\n\r\n'
const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanup.splice(0).reverse()) await end()
})

let folder: string
let root: Authority
let client: Certificate
let delta: TableDelta
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairway-sessions-'))
  root = await createAuthority('CN=Root')
  client = await root.issue('CN=client')
  writeFileSync(join(folder, 'client.pem'), `${client.chain}\n${client.key}`)
  const auth = { ca: root.certificate.chain, verify: 'required', depth: 1, passToUpstream: false } as const
  delta = {
    hosts: new Map(['a.io', 'plain.io', 'b.io'].map((host) => [host, everything('pods')])),
    clientAuth: new Map([
      ['a.io', auth],
      ['b.io', { ...auth, depth: 2 }],
    ]),
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

/** The handshake for `host`: `New` or `Reused`; keeps the session in the file `session`. */
const handshake = async (
  port: number,
  host: string,
  options: { readonly version: string; readonly from?: string; readonly to?: string; readonly shows?: boolean },
): Promise<string> => {
  const file = (name: string): string => join(folder, `${name}${options.version}`)
  const text = await openssl(
    port,
    [
      ...['-servername', host, options.version, '-ign_eof'],
      ...(options.from === undefined ? [] : ['-sess_in', file(options.from)]),
      ...(options.to === undefined ? [] : ['-sess_out', file(options.to)]),
      ...(options.shows ? ['-cert', file('').replace(options.version, 'client.pem')] : []),
    ],
    REQUEST.replace('a.io', host),
  )
  return /^(New|Reused), TLSv1/m.exec(text)?.[1] ?? text
}

const inProcess = async (
  keys: Buffer,
  table: TableDelta = {},
): Promise<{ readonly port: number; readonly dataPlane: DataPlane }> => {
  const started = await startEngine([1], {}, { delta: table, tls: await certificateFor('engine') })
  started.dataPlane.setTicketKeys(keys)
  cleanup.push(() => started.stop())
  return { port: started.tlsPort, dataPlane: started.dataPlane }
}

describe.each(VERSIONS)('a session of openssl s_client %s', (version) => {
  it('is resumed by an engine with the same ticket keys, after its default certificate changed too', async () => {
    const keys = randomBytes(48)
    const [one, two, stranger] = [await inProcess(keys), await inProcess(keys), await inProcess(randomBytes(48))]
    expect(await handshake(one.port, 'plain.io', { version, to: 'shared' })).toBe('New')
    expect(await handshake(two.port, 'plain.io', { version, from: 'shared' })).toBe('Reused')
    two.dataPlane.setBuiltInCertificate(await certificateFor('engine'))
    expect(await handshake(two.port, 'plain.io', { version, from: 'shared' })).toBe('Reused')
    expect(await handshake(stranger.port, 'plain.io', { version, from: 'shared' })).toBe('New')
  })

  it('is made anew after the keys were rotated', async () => {
    const engine = await inProcess(randomBytes(48))
    expect(await handshake(engine.port, 'plain.io', { version, to: 'rotated' })).toBe('New')
    engine.dataPlane.setTicketKeys(randomBytes(48))
    expect(await handshake(engine.port, 'plain.io', { version, from: 'rotated', to: 'next' })).toBe('New')
    expect(await handshake(engine.port, 'plain.io', { version, from: 'next' })).toBe('Reused')
  })

  it('is never one with client certificates, and opens no host that asks for them', async () => {
    const { port } = await inProcess(randomBytes(48), delta)
    expect(await handshake(port, 'a.io', { version, to: 'shown', shows: true })).toBe('New')
    for (const host of ['a.io', 'b.io', 'plain.io']) {
      // Without a ticket s_client writes no session that could be read.
      const result = await handshake(port, host, { version, from: 'shown' })
      expect(result === 'New' || /session|unable|Can't open/i.test(result), result).toBe(true)
    }
    expect(await handshake(port, 'plain.io', { version, to: 'open' })).toBe('New')
    expect(await handshake(port, 'a.io', { version, from: 'open' })).toBe('New')
    expect(await handshake(port, 'plain.io', { version, from: 'open' })).toBe('Reused')
  })
})

describe('a session', { timeout: 60_000 }, () => {
  const start = async (workers: number): Promise<RunningEngine> => {
    const engine = createEngine({ https: { address: '127.0.0.1', port: 0 }, workers, tickMs: 10, log: silentLogger })
    const abort = new AbortController()
    const running = await engine.start(abort.signal)
    cleanup.push(() => running.stopped)
    cleanup.push(() => abort.abort())
    return running
  }

  it.each(VERSIONS)('of one worker is resumed by the other (%s)', async (version) => {
    const running = await start(2)
    const [first = 0, second = 0] = running.workers
    const alone = async <T>(stopped: number, act: () => Promise<T>): Promise<T> => {
      process.kill(stopped, 'SIGSTOP')
      try {
        return await act()
      } finally {
        process.kill(stopped, 'SIGCONT')
      }
    }
    const port = running.https ?? 0
    expect(await alone(second, () => handshake(port, 'a.io', { version, to: 'first' }))).toBe('New')
    expect(await alone(first, () => handshake(port, 'a.io', { version, from: 'first' }))).toBe('Reused')
  })

  it('is resumed after its worker was killed', async () => {
    const running = await start(1)
    const port = running.https ?? 0
    expect(await handshake(port, 'a.io', { version: '-tls1_3', to: 'killed' })).toBe('New')
    process.kill(running.workers[0] ?? 0, 'SIGKILL')
    expect(await handshake(port, 'a.io', { version: '-tls1_3', from: 'killed' })).toBe('Reused')
  })
})
