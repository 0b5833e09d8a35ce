import { once } from 'node:events'
import { type ConnectionOptions, withConnection } from '../connect.ts'

export interface LogsOptions extends ConnectionOptions {
  readonly container?: string
  readonly follow?: boolean
  readonly tail?: number
  readonly timestamps?: boolean
  readonly previous?: boolean
}

/** `fairway logs`. */
export const logs = (pod: string, options: LogsOptions): Promise<void> =>
  withConnection(options, async ({ client, namespace }) => {
    const name = pod.replace(/^pods?\//, '')
    const stop = new AbortController()
    process.once('SIGINT', () => stop.abort())
    try {
      for await (const chunk of await client.logs({ namespace, name }, queryOf(options), stop.signal)) {
        if (!process.stdout.write(chunk)) await once(process.stdout, 'drain')
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  })

const queryOf = ({ container, follow, tail, timestamps, previous }: LogsOptions): Readonly<Record<string, string>> => ({
  ...(container === undefined ? {} : { container }),
  ...(follow ? { follow: 'true' } : {}),
  ...(tail === undefined ? {} : { tailLines: String(tail) }),
  ...(timestamps ? { timestamps: 'true' } : {}),
  ...(previous ? { previous: 'true' } : {}),
})
