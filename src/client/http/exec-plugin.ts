import { spawn } from 'node:child_process'
import { errorCode, UserError } from '../../base/index.ts'
import { isRecord } from '../response.ts'
import type { ExecPlugin, Identity } from './connection.ts'

const TIMEOUT_MS = 60_000
const OUTPUT_LIMIT = 1 << 20

/** Runs a credential plugin; rejects with `UserError` when it fails, prints something else, or takes a minute. */
export const runExecPlugin = async (
  plugin: ExecPlugin,
): Promise<{ readonly identity: Identity; readonly untilMs: number | undefined }> => {
  const info = {
    apiVersion: plugin.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(plugin.cluster ? { cluster: plugin.cluster } : {}) },
  }
  return parseCredential(plugin, await run(plugin, JSON.stringify(info)))
}

const run = (plugin: ExecPlugin, info: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const fail = (what: string, cause?: unknown): void =>
      reject(new UserError(`the credential plugin ${plugin.command} ${what}`, { cause }))
    const child = spawn(plugin.command, plugin.args, {
      env: { ...process.env, ...plugin.env, KUBERNETES_EXEC_INFO: info },
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    const chunks: Buffer[] = []
    let size = 0
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > OUTPUT_LIMIT) child.kill('SIGKILL')
      else chunks.push(chunk)
    })
    child.on('error', (error) => {
      const hint =
        errorCode(error) === 'ENOENT'
          ? ` isn't installed${plugin.installHint ? `: ${plugin.installHint}` : ''}`
          : ` can't be run: ${error.message}`
      fail(hint.trim(), error)
    })
    child.on('close', (code, signal) => {
      if (size > OUTPUT_LIMIT) fail(`printed more than ${OUTPUT_LIMIT} bytes`)
      else if (code !== 0)
        fail(signal ? `was ended by ${signal} (it may take ${TIMEOUT_MS / 1000} s)` : `failed with exit code ${code}`)
      else resolve(Buffer.concat(chunks).toString('utf8'))
    })
  })

const parseCredential = (
  plugin: ExecPlugin,
  output: string,
): { readonly identity: Identity; readonly untilMs: number | undefined } => {
  const fail = (what: string): UserError => new UserError(`the credential plugin ${plugin.command} ${what}`)
  let value: unknown
  try {
    value = JSON.parse(output)
  } catch {
    // Its output may hold a secret, so it isn't shown.
    throw fail('printed something that is not JSON')
  }
  if (!isRecord(value) || value['kind'] !== 'ExecCredential') throw fail('printed something that is not an ExecCredential')
  if (value['apiVersion'] !== plugin.apiVersion) throw fail(`answered in another version than ${plugin.apiVersion}`)
  const status = isRecord(value['status']) ? value['status'] : {}
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status
  const hasPair = typeof cert === 'string' && typeof key === 'string'
  if (typeof token !== 'string' && !hasPair) throw fail('gave neither a token nor a certificate with its key')
  const untilMs = typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) : undefined
  if (untilMs !== undefined && Number.isNaN(untilMs)) throw fail('gave an expirationTimestamp that is no time')
  return {
    identity: { ...(typeof token === 'string' ? { authorization: `Bearer ${token}` } : {}), ...(hasPair ? { cert, key } : {}) },
    untilMs,
  }
}
