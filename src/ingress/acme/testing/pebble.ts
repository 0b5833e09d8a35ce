import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClock, sleep } from '../../../base/index.ts'
import { makeTestCertificates } from '../../../client/testing/certificates.ts'
import { type NameServer, serveNames } from './names.ts'

const PROGRAM = '/usr/bin/pebble'

/** Why pebble, Let's Encrypt's server for tests, cannot run here; undefined when it can. */
export const missingPebble = existsSync(PROGRAM) ? undefined : `there is no ${PROGRAM}: apt-get install pebble`

/** A pebble that looks at port `httpPort` of where its own name server points. */
export interface Pebble {
  readonly directory: string
  /** PEM of the authority of its own certificate, and of another one. */
  readonly ca: string
  readonly otherCa: string
  /** PEM of the root of the certificates that it issues. */
  root(): Promise<string>
  readonly names: NameServer
  /** What it said. */
  log(): string
  /** Stops it, or starts it again with nothing in its memory. */
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

export interface PebbleOptions {
  readonly httpPort: number
  readonly env?: Readonly<Record<string, string>>
}

/** Half of all nonces are bad, and validations are real and made at once. */
const ENV = { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '50', PEBBLE_VA_ALWAYS_VALID: '0', PEBBLE_AUTHZREUSE: '0' }

export const startPebble = async ({ httpPort, env = {} }: PebbleOptions): Promise<Pebble> => {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-pebble-'))
  const [names, { ca, otherCa, server }] = await Promise.all([serveNames('127.0.0.1'), makeTestCertificates()])
  const [port, management, tlsPort] = await Promise.all([freePort(), freePort(), freePort()])
  const config = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: join(folder, 'server.crt'),
    privateKey: join(folder, 'server.key'),
    httpPort,
    tlsPort,
  }
  await writeFile(config.certificate, server.cert)
  await writeFile(config.privateKey, server.key, { mode: 0o600 })
  await writeFile(join(folder, 'config.json'), JSON.stringify({ pebble: config }))
  let log = ''
  let child: ChildProcess | undefined
  const directory = `https://127.0.0.1:${port}/dir`
  const pebble: Pebble = {
    directory,
    ca,
    otherCa,
    names,
    root: () => get(`https://127.0.0.1:${management}/roots/0`, ca),
    log: () => log,
    async start() {
      const args = ['-config', join(folder, 'config.json'), '-dnsserver', names.address, '-strict']
      child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...ENV, ...env } })
      const collect = (chunk: Buffer): void => {
        log += chunk.toString()
      }
      child.stdout?.on('data', collect)
      child.stderr?.on('data', collect)
      await answers(directory, ca)
    },
    async stop() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
    async close() {
      await pebble.stop()
      await names.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
  await pebble.start()
  return pebble
}

/** A port that nobody has now. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  return address.port
}

const answers = async (url: string, ca: string): Promise<void> => {
  for (let left = 200; ; left--) {
    try {
      await get(url, ca)
      return
    } catch (error) {
      if (left === 0) throw error
      await sleep(realClock, 25)
    }
  }
}

const get = (url: string, ca: string): Promise<string> =>
  new Promise((resolve, reject) => {
    request(url, { ca, agent: false }, async (response) => resolve(Buffer.concat(await response.toArray()).toString()))
      .on('error', reject)
      .end()
  })
