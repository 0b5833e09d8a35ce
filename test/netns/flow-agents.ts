import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Answer, FlowRequest } from './flow-clients.ts'

/** A `flow-agent.ts` in a network namespace. */
export interface FlowAgent {
  ask(request: FlowRequest): Promise<Answer | undefined>
  stop(): Promise<void>
}

const agentFile = fileURLToPath(new URL('flow-agent.ts', import.meta.url))

interface Message {
  readonly id: number
  readonly result?: Answer
  readonly error?: string
}

export const startFlowAgent = async (namespace: string): Promise<FlowAgent> => {
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, '--import', 'tsx', agentFile], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const waiting = new Map<number, (message: Message) => void>()
  const ready = once(child, 'message')
  child.on('message', (message: Message) => waiting.get(message.id)?.(message))
  await Promise.race([ready, once(child, 'exit').then(() => Promise.reject(new Error(`no agent in ${namespace}`)))])
  let last = 0
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        const id = ++last
        waiting.set(id, ({ result, error }) => {
          waiting.delete(id)
          if (error === undefined) resolve(result)
          else reject(new Error(error))
        })
        child.send({ id, request })
      }),
    stop: () => stop(child),
  }
}

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.disconnect()
  await exited
}
