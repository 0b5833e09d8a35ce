import v8 from 'node:v8'
import type { FailedRequest } from '../context.ts'
import type { EngineSettings } from '../settings.ts'
import type { EngineStats } from '../stats.ts'
import type { Certificate, TableDelta } from '../table/index.ts'

export type PortName = 'http' | 'https'

/** What the supervisor tells a worker, in this order: `start`, `update` (the whole table), `listen`, then anything. */
export type ToWorker =
  | {
      readonly type: 'start'
      readonly settings: EngineSettings
      readonly tickMs: number
      /** Workers of the engine, itself included. */
      readonly workers: number
      readonly builtIn: Certificate | undefined
      readonly ticketKeys: Buffer | undefined
    }
  /** A `TableDelta`, packed once for all workers. */
  | { readonly type: 'update'; readonly sequence: number; readonly delta: Buffer }
  /** Comes with the listening handle; again for each turn of accepting when `turn` is not 0. */
  | { readonly type: 'listen'; readonly port: PortName; readonly proxyProtocol: boolean; readonly turn: number }
  /** Secret: never logged, never written. */
  | { readonly type: 'ticket-keys'; readonly keys: Buffer }
  | { readonly type: 'stats'; readonly sequence: number }
  | { readonly type: 'stop' }

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'listening'; readonly port: PortName }
  | { readonly type: 'listen-failed'; readonly port: PortName; readonly code: string }
  /** It accepted as many connections as a turn has, and closed its copy of the handle. */
  | { readonly type: 'turn-over'; readonly port: PortName; readonly connections: number }
  | { readonly type: 'connections'; readonly connections: number }
  /** Every request from now on is served with this table or a later one. */
  | { readonly type: 'applied'; readonly sequence: number }
  | { readonly type: 'stats'; readonly sequence: number; readonly stats: EngineStats }
  | { readonly type: 'failed-request'; readonly failure: FailedRequest; readonly suppressed: number }
  | { readonly type: 'bad-certificate'; readonly id: string; readonly message: string }

export const packDelta = (delta: TableDelta): Buffer => v8.serialize(delta)

/** Of what the supervisor packed. */
export const unpackDelta = (bytes: Buffer): TableDelta => v8.deserialize(bytes) as TableDelta
