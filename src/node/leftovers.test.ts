import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { processesWithEnv, realExec, realHost } from '../host/index.ts'
import { createLinks, instanceTag } from '../kernel/link/index.ts'
import { cleanupNode } from './cleanup.ts'
import { INSTANCE_VARIABLE } from './runtime/journal.ts'
import { startNodeLab } from './testing/node-lab.ts'

const { networkNamespaces, isRoot } = await realHost().capabilities()
const script = fileURLToPath(new URL('./testing/run-lab.ts', import.meta.url))
const node = [process.execPath, '--import', import.meta.resolve('tsx'), script]
const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']

interface Lab {
  readonly child: ChildProcess
  readonly dataDir: string
  readonly podIP: string
  readonly uid: number
}

const run = async (argv: readonly string[]): Promise<Lab> => {
  const [command = '', ...args] = argv
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, HOME: '/tmp' } })
  try {
    const [line] = await once(child.stdout, 'data', { signal: AbortSignal.timeout(START_LIMIT_MS) })
    return { child, ...JSON.parse(String(line)) }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

/** A lab is up in one or two seconds; one that is not is ended, so that nothing of it stays. */
const START_LIMIT_MS = 15_000

const processesOf = (lab: Lab): Promise<readonly number[]> => processesWithEnv(INSTANCE_VARIABLE, instanceTag(lab.dataDir))

const sigkill = async (lab: Lab): Promise<void> => {
  lab.child.kill('SIGKILL')
  await once(lab.child, 'exit')
}

const nothing = { links: [], namespaces: [], localRoutes: [], routes: [] }

describe('what a SIGKILLed node leaves', { timeout: 30_000 }, () => {
  it.skipIf(!networkNamespaces.usable)(
    'no process at once; namespaces and links until cleanup finds them (netns needs root)',
    async () => {
      const lab = await run([...node, 'netns'])
      const links = createLinks(realExec, instanceTag(lab.dataDir))
      expect((await processesOf(lab)).length).toBeGreaterThan(3)
      await sigkill(lab)
      await expect.poll(() => processesOf(lab), { timeout: 5000 }).toEqual([])
      expect((await links.listOwned()).namespaces).toHaveLength(2)
      const cleaned = await cleanupNode(realHost(), lab.dataDir)
      expect(cleaned).toMatchObject({ processes: [], skipped: [] })
      expect(cleaned.namespaces).toHaveLength(2)
      expect(await links.listOwned()).toEqual(nothing)
      expect(await cleanupNode(realHost(), lab.dataDir)).toEqual({ ...nothing, wayOut: [], processes: [], skipped: [] })
      await rm(lab.dataDir, { recursive: true })
    },
  )

  it.skipIf(!networkNamespaces.usable)(
    'nothing after the next start, and nothing at all after that ended (netns needs root)',
    async () => {
      const lab = await run([...node, 'netns'])
      await sigkill(lab)
      const links = createLinks(realExec, instanceTag(lab.dataDir))
      const next = await startNodeLab({ kind: 'netns', dataDir: lab.dataDir })
      expect(await links.listOwned()).toMatchObject({ links: [`${instanceTag(lab.dataDir)}-br`], namespaces: [] })
      // The pods of the killed node are unknown to the new API: their folders go.
      await expect.poll(async () => (await realHost().files.list(`${lab.dataDir}/node/pods`)).length).toBe(0)
      await next.close()
      expect(await links.listOwned()).toEqual(nothing)
    },
  )

  it.skipIf(!isRoot)('no process at once, as an ordinary user (root is needed to become one)', async () => {
    const lab = await run([...asNobody, ...node, 'loopback'])
    expect(lab.uid).toBe(65534)
    const answer = await fetch(`http://${lab.podIP}:8080/`)
    expect(await answer.json()).toMatchObject({ pod: 'two', podIP: lab.podIP })
    expect((await processesOf(lab)).length).toBeGreaterThan(3)
    await sigkill(lab)
    await expect.poll(() => processesOf(lab), { timeout: 5000 }).toEqual([])
    await rm(lab.dataDir, { recursive: true })
  })

  it('nothing when it is asked to stop', async () => {
    const lab = await run([...node, 'loopback'])
    lab.child.kill('SIGTERM')
    await once(lab.child, 'exit')
    expect(await processesOf(lab)).toEqual([])
  })
})
