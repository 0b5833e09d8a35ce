import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Exec, realExec } from '../../src/host/index.ts'
import { ENDPOINTS, PORT } from './services.ts'

/** Network namespaces of the bench: one with the endpoints, and one for each way to reach them. */
export interface World {
  /** A namespace with a link of its own to the endpoints. */
  addNode(): Promise<BenchNode>
  close(): Promise<void>
}

export interface BenchNode {
  readonly name: string
  readonly path: string
  readonly exec: Exec
  /** A script of this folder in the namespace, when it is ready. */
  start(script: string, args?: readonly string[]): Promise<ChildProcess>
}

export const openWorld = async (): Promise<World> => {
  const prefix = `fwc${process.pid % 100_000}`
  const children: ChildProcess[] = []
  const names: string[] = []
  const addNamespace = async (suffix: string): Promise<string> => {
    const name = `${prefix}-${suffix}`
    await realExec(['ip', 'netns', 'add', name])
    names.push(name)
    await realExec(['ip', '-n', name, 'link', 'set', 'lo', 'up'])
    return name
  }
  const close = async (): Promise<void> => {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(children.map((child) => (child.exitCode ?? child.signalCode) === null && once(child, 'exit')))
    for (const name of names) await realExec(['ip', 'netns', 'del', name])
  }
  try {
    const endpoints = await addNamespace('e')
    for (const address of ENDPOINTS) await realExec(['ip', '-n', endpoints, 'addr', 'add', `${address}/32`, 'dev', 'lo'])
    await startIn(endpoints, children, { script: 'acceptor.ts', args: [String(PORT)] })
    let count = 0
    return {
      async addNode() {
        const number = ++count
        const name = await addNamespace(`n${number}`)
        await link(name, endpoints, number)
        return {
          name,
          path: `/run/netns/${name}`,
          exec: (argv, options) => realExec(['ip', 'netns', 'exec', name, ...argv], options),
          start: (script, args = []) => startIn(name, children, { script, args }),
        }
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

const link = async (node: string, endpoints: string, number: number): Promise<void> => {
  const commands = [
    ['-n', node, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `n${number}`, 'netns', endpoints],
    ['-n', node, 'addr', 'add', `10.2.${number}.1/24`, 'dev', 'eth0'],
    ['-n', node, 'link', 'set', 'eth0', 'up'],
    ['-n', endpoints, 'addr', 'add', `10.2.${number}.2/24`, 'dev', `n${number}`],
    ['-n', endpoints, 'link', 'set', `n${number}`, 'up'],
    ['-n', node, 'route', 'add', 'default', 'via', `10.2.${number}.2`],
  ]
  for (const command of commands) await realExec(['ip', ...command])
}

const startIn = async (
  namespace: string,
  children: ChildProcess[],
  { script, args }: { readonly script: string; readonly args: readonly string[] },
): Promise<ChildProcess> => {
  const file = fileURLToPath(new URL(script, import.meta.url))
  const argv = ['netns', 'exec', namespace, 'taskset', '-c', coreOf(script), process.execPath, '--import', 'tsx', file, ...args]
  const child = spawn('ip', argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  children.push(child)
  const isReady = await Promise.race([once(child, 'message').then(() => true), once(child, 'exit').then(() => false)])
  if (!isReady) throw new Error(`${script} ended before it was ready`)
  return child
}

/** Clients have a core that nobody else of the bench has: where both ends share one, a connection costs another time than where they don't. */
const coreOf = (script: string): string => (script === 'client.ts' ? '0' : '1')
