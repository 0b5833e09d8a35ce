/**
 * The backend of one kernel mode in a process of its own in the node's namespace, to be killed at any moment:
 * `proxy-process.ts MODE`. Takes changes by IPC, one at a time; answers `{ id }` or `{ id, error }`.
 */
import { realClock, silentLogger } from '../../src/base/index.ts'
import { realExec } from '../../src/host/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import type { Change, Drift } from '../../src/proxy/index.ts'
import { openBackend, PROXY_MODES } from '../../src/proxy/modes/index.ts'

export type ProxyRequest =
  | { readonly op: 'sync'; readonly change: Change }
  /** Answers with what differed. */
  | { readonly op: 'audit' }
  /** Answers when the backend has told that somebody else changed what it keeps, and an audit has put it right. */
  | { readonly op: 'heal' }
  | { readonly op: 'cleanup' }

const main = async (): Promise<void> => {
  const mode = PROXY_MODES.find((each) => each === process.argv[2]) ?? 'auto'
  const libc = await loadLibc()
  let onForeign = (): void => {}
  const foreign = new Promise<void>((resolve) => {
    onForeign = resolve
  })
  const { backend } = await openBackend(mode, {
    exec: realExec,
    ...('missing' in libc ? {} : { libc }),
    serviceCIDRs: ['10.96.0.0/16', 'fd00:96::/112'],
    tableName: 'fairway-faults',
    clock: realClock,
    log: silentLogger,
    onForeignChange: () => onForeign(),
  })
  await backend.start(new AbortController().signal, () => {})
  const act = async (request: ProxyRequest): Promise<readonly Drift[] | undefined> => {
    switch (request.op) {
      case 'sync':
        await backend.sync(request.change)
        return undefined
      case 'audit':
        return backend.audit()
      case 'heal':
        await foreign
        return backend.audit()
      case 'cleanup':
        await backend.cleanup()
        return undefined
      default:
        return request satisfies never
    }
  }
  process.on('message', ({ id, request }: { readonly id: number; readonly request: ProxyRequest }) => {
    act(request).then(
      (result) => process.send?.({ id, result }),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    )
  })
  process.on('disconnect', () => process.exit())
  process.send?.({ id: 0 })
}

await main()
