import type { Client } from './client.ts'
import { createPortClient, type PortClientOptions } from './port-client.ts'

export type InProcessClientOptions = PortClientOptions

/** A client of an API server in this process: no connection and no encoding, the same rules. */
export const createInProcessClient = (options: InProcessClientOptions): Client => createPortClient(options)
