import type { OutsideClient } from './contract.ts'
import type { OutsideClientOptions } from './outside-client.ts'

/** A client that is made with its first request: its HTTP library takes 20 MiB, and most workers never ask anybody. */
export const lazyOutsideClient = (options: OutsideClientOptions): OutsideClient => {
  let client: Promise<OutsideClient> | undefined
  let made: OutsideClient | undefined
  return {
    send(request, done) {
      if (made !== undefined) return made.send(request, done)
      let isCancelled = false
      let cancel = (): void => {}
      client ??= import('./outside-client.ts').then(({ createOutsideClient }) => {
        made = createOutsideClient(options)
        return made
      })
      client.then(
        (ready) => {
          if (!isCancelled) cancel = ready.send(request, done)
        },
        () => {
          if (!isCancelled) done({ failure: 'unreachable' })
        },
      )
      return () => {
        isCancelled = true
        cancel()
      }
    },
    close: async () => {
      await (await client)?.close()
    },
  }
}
