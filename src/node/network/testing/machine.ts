import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Exec, realExec } from '../../../host/index.ts'
import { createSysctls, type Sysctls } from '../../../kernel/link/index.ts'

/** A machine of its own: a network namespace with an uplink to another one, the Internet. The mounts are this machine's, so that namespaces have names. */
export interface Machine {
  readonly name: string
  readonly exec: Exec
  readonly sysctls: Sysctls
  /** The machine's address on the link to the Internet, and a server's far out, at port 8080. */
  readonly address: string
  readonly server: string
  /** What a server says to a client in that namespace: its own address and the client's; `refused` or `nothing` without an answer. */
  ask(namespace: string, address: string, port?: number): Promise<string>
  /** Answers on TCP, with its own address and the client's. */
  serve(namespace: string, address: string, port?: number): Promise<void>
  readonly internet: string
  close(): Promise<void>
}

const SERVE = `require('net').createServer((s) => { s.on('error', () => {}); s.end(process.argv[1] + ' ' + s.remoteAddress); s.resume() })
  .listen(Number(process.argv[2]), process.argv[1], () => console.log('up'))`
const ASK = `const s = require('net').connect(Number(process.argv[2]), process.argv[1]); const say = (t) => { console.log(t); process.exit() }
  s.on('data', (d) => say(String(d))); s.on('error', (e) => say(e.code === 'ECONNREFUSED' ? 'refused' : 'nothing')); setTimeout(() => say('nothing'), 1000)`

export const openMachine = async (name: string, { hasDefaultRoute = true } = {}): Promise<Machine> => {
  const internet = `${name}-i`
  const exec: Exec = (argv, options) => realExec(['nsenter', `--net=/run/netns/${name}`, ...argv], options)
  const processes: ChildProcess[] = []
  const inNamespace = (namespace: string, script: string, ...args: string[]) =>
    ['ip', 'netns', 'exec', namespace, process.execPath, '-e', script, ...args] as const
  const machine: Machine = {
    name,
    internet,
    exec,
    sysctls: createSysctls(exec),
    address: '198.51.100.1',
    server: '203.0.113.7',
    async ask(namespace, address, port = 8080) {
      return (await realExec(inNamespace(namespace, ASK, address, String(port)))).stdout.trim()
    },
    async serve(namespace, address, port = 8080) {
      const [file, ...args] = inNamespace(namespace, SERVE, address, String(port))
      const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      processes.push(child)
      await once(child.stdout, 'data')
    },
    async close() {
      for (const child of processes) {
        const exited = once(child, 'exit')
        child.kill('SIGKILL')
        await exited
      }
      for (const each of [name, internet]) await realExec(['ip', 'netns', 'del', each])
    },
  }
  for (const each of [name, internet]) {
    await realExec(['ip', 'netns', 'add', each])
    await realExec(['ip', '-n', each, 'link', 'set', 'lo', 'up'])
  }
  await batch(name, [
    `link add eth0 type veth peer name eth0 netns ${internet}`,
    'addr add 198.51.100.1/24 dev eth0',
    'link set eth0 up',
  ])
  await batch(internet, ['addr add 198.51.100.9/24 dev eth0', 'addr add 203.0.113.7/32 dev lo', 'link set eth0 up'])
  if (hasDefaultRoute) await batch(name, ['route add default via 198.51.100.9'])
  await machine.serve(internet, machine.server)
  return machine
}

const batch = async (namespace: string, commands: readonly string[]): Promise<void> => {
  await realExec(['ip', '-n', namespace, '-batch', '-'], { stdin: `${commands.join('\n')}\n` })
}
