import type { Secret } from '../../api/index.ts'
import { type Failures, noFailures } from './backoff.ts'
import type { WantedCertificate } from './desired.ts'
import { isPrivateKey, newKey } from './keys.ts'
import { CERTIFICATE, ORDER, orderSecret, type Place } from './names.ts'
import { sharedSecret, textOf } from './secret-store.ts'

/** How far the issue of one certificate is: all that the next leader needs to go on. */
export interface OrderRecord {
  /** The Secret (`namespace/name`) that the certificate is for. */
  readonly certificate: string
  readonly server: string
  readonly hosts: readonly string[]
  /** Of the certificate, PEM: made before the order, so that whoever finishes it has it. */
  readonly key: string
  readonly orderUrl: string | undefined
  /** Challenges that may stand on the board. */
  readonly tokens: readonly string[]
  readonly failures: Failures
  /** No attempt before this time. */
  readonly notBeforeMs: number
}

export const newRecord = async ({ secret, hosts }: WantedCertificate, server: string): Promise<OrderRecord> => ({
  certificate: secret,
  server,
  hosts,
  key: await newKey(),
  orderUrl: undefined,
  tokens: [],
  failures: noFailures,
  notBeforeMs: 0,
})

/** Whether what is recorded is about this certificate, from this server. */
export const isAbout = (record: OrderRecord, { hosts }: WantedCertificate, server: string): boolean =>
  record.server === server && record.hosts.join() === hosts.join()

const KEY = 'tls.key'
const STATE = 'state.json'

export const secretOfRecord = (place: Place, record: OrderRecord): Secret => {
  const { certificate, key, ...state } = record
  return sharedSecret(place, {
    role: 'order',
    name: orderSecret(place, certificate),
    annotations: { [CERTIFICATE]: certificate, ...(record.orderUrl === undefined ? {} : { [ORDER]: record.orderUrl }) },
    texts: { [KEY]: key, [STATE]: JSON.stringify(state) },
  })
}

/** Undefined when it cannot be read: somebody wrote to it, or a version of Fairway that had other fields. */
export const recordOfSecret = (secret: Secret): OrderRecord | undefined => {
  const certificate = secret.metadata.annotations?.[CERTIFICATE]
  const key = textOf(secret, KEY)
  const state = parsed(textOf(secret, STATE))
  if (certificate === undefined || key === undefined || !isPrivateKey(key) || state === undefined) return undefined
  const { server, hosts, orderUrl, tokens, failures, notBeforeMs } = state
  if (typeof server !== 'string' || !isTexts(hosts) || !isTexts(tokens) || typeof notBeforeMs !== 'number') return undefined
  if (orderUrl !== undefined && typeof orderUrl !== 'string') return undefined
  return { certificate, key, server, hosts, tokens, notBeforeMs, orderUrl, failures: readFailures(failures) }
}

const parsed = (text: string | undefined): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

const readFailures = (value: unknown): Failures => {
  if (!isRecord(value)) return noFailures
  const { refused, others } = value
  return { refused: countOf(refused), others: countOf(others) }
}

const countOf = (value: unknown): number => (Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0)

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
