import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Exec, HostError, type HostErrorDetails, realSpawn, type SpawnedProcess } from '../../src/host/index.ts'
import { bundle } from './bundle.ts'
import { writeInitramfs } from './initramfs.ts'
import type { GuestKernel } from './kernel.ts'
import type { GuestRequest } from './protocol.ts'

/** A virtual machine with Debian's kernel that sees this machine's files, read only; what it writes is lost with it. */
export interface Machine {
  /** Runs a command as root in the machine, to its end. */
  readonly exec: Exec
  /** Asks the process of `guest.ts`. */
  ask(request: GuestRequest): Promise<unknown>
  /** Powers off and removes what was made; whatever the machine is doing. */
  close(): Promise<void>
}

export interface MachineOptions {
  readonly kernel: GuestKernel
  /** The machine is killed after this time, whatever it is doing; 10 minutes unless told. */
  readonly limitMs?: number
  /** Gets what the kernel and the processes in it say. */
  readonly onConsole?: (text: string) => void
}

const DEFAULT_LIMIT_MS = 600_000
const BOOT_TIMEOUT_MS = 120_000
/** So much of the console is told when the machine ends too early. */
const CONSOLE_TAIL = 4_000

/** Boots it with QEMU, without acceleration; resolves when commands can run. Rejects with the console's last words when it does not come up. */
export const bootMachine = async (options: MachineOptions): Promise<Machine> => {
  const folder = await mkdtemp(join(tmpdir(), 'fairway-vm-'))
  const server = createServer()
  let child: SpawnedProcess | undefined
  const close = async (): Promise<void> => {
    server.close()
    child?.signal('SIGKILL')
    await child?.exited
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const socketPath = join(folder, 'port')
    const initrd = join(folder, 'initramfs.gz')
    await writeScripts(folder)
    await writeInitramfs({ kernel: options.kernel, path: initrd, command: guestCommand(folder) })
    server.listen(socketPath)
    const connected = once(server, 'connection')
    child = await realSpawn(qemuCommand(options.kernel, { initrd, socketPath }), { env: { PATH: process.env['PATH'] ?? '' } })
    const port = await openPort(child, connected, options)
    return { exec: guestExec(port), ask: (request) => port.ask(request), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** The names of the bundled scripts in the folder. */
const GUEST = 'guest.mjs'
const AGENT = 'agent.mjs'

const writeScripts = async (folder: string): Promise<void> => {
  const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
  await bundle({ guest: source('guest.ts'), agent: source('../netns/agent.ts') }, folder)
  const runAgent = join(folder, 'run-agent')
  await writeFile(runAgent, `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(join(folder, AGENT))}\n`)
  await chmod(runAgent, 0o755)
}

const guestCommand = (folder: string): string =>
  [
    'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root',
    'ip link set lo up',
    `cd ${quoted(fileURLToPath(new URL('../..', import.meta.url)))}`,
    `${quoted(process.execPath)} ${quoted(join(folder, GUEST))} ${quoted(join(folder, 'run-agent'))}`,
  ].join('\n')

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const qemuCommand = (
  { image, modulesRoot }: GuestKernel,
  { initrd, socketPath }: { readonly initrd: string; readonly socketPath: string },
): readonly [string, ...string[]] => {
  const share = (name: string, path: string): readonly string[] => [
    ...['-fsdev', `local,id=${name},path=${path},security_model=none,readonly=on,multidevs=remap`],
    ...['-device', `virtio-9p-pci,fsdev=${name},mount_tag=${name}`],
  ]
  return [
    'qemu-system-x86_64',
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-m', '2048', '-smp', '2'],
    ...['-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
    ...['-kernel', image, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=-1 mitigations=off'],
    ...share('host', '/'),
    ...share('modules', join(modulesRoot, 'lib/modules')),
    ...['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=port,path=${socketPath}`, '-device', 'virtserialport,chardev=port,name=fairway'],
  ]
}

interface Port {
  ask(request: GuestRequest): Promise<unknown>
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
  /** Of a command that failed. */
  readonly details?: HostErrorDetails
}

/** Waits until the guest greets with the answer to request 0. */
const openPort = async (child: SpawnedProcess, connected: Promise<unknown[]>, options: MachineOptions): Promise<Port> => {
  const { limitMs = DEFAULT_LIMIT_MS, onConsole = () => {} } = options
  const waiting = new Map<number, (answer: Answer) => void>()
  let tail = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      tail = `${tail}${chunk}`.slice(-CONSOLE_TAIL)
      onConsole(String(chunk))
    })
  }
  const limit = setTimeout(() => child.signal('SIGKILL'), limitMs)
  const boot = setTimeout(() => child.signal('SIGKILL'), BOOT_TIMEOUT_MS)
  let hasEnded = false
  const ended = new Promise<never>((_, reject) => {
    const end = (why: string): void => {
      hasEnded = true
      clearTimeout(limit)
      clearTimeout(boot)
      const error = `the virtual machine ended (${why}): ${tail}`
      for (const [id, tell] of waiting) tell({ id, error })
      reject(new Error(error))
    }
    void child.exited.then((status) => end(status.kind === 'exited' ? `code ${status.code}` : status.signal))
  })
  // Nobody may be waiting when it ends.
  ended.catch(() => {})
  let id = 0
  const wait = (): Promise<Answer> => {
    const mine = id++
    return new Promise((resolve) => waiting.set(mine, resolve)).then((answer) => {
      waiting.delete(mine)
      return answer as Answer
    })
  }
  const greeting = wait()
  const [socket] = (await Promise.race([connected, ended])) as [Socket]
  readLines(socket, (line) => {
    const answer = JSON.parse(line) as Answer
    waiting.get(answer.id)?.(answer)
  })
  await Promise.race([greeting, ended])
  clearTimeout(boot)
  return {
    async ask(request) {
      if (hasEnded) await ended
      const mine = id
      const answered = wait()
      socket.write(`${JSON.stringify({ id: mine, request })}\n`)
      const { result, error, details } = await answered
      if (details !== undefined) throw new HostError(error ?? '', details)
      if (error !== undefined) throw new Error(error)
      return result
    },
  }
}

const readLines = (socket: Socket, onLine: (line: string) => void): void => {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('error', () => {})
  socket.on('data', (chunk: string) => {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
}

const guestExec =
  (port: Port): Exec =>
  async (argv, { signal, stdin, ...options } = {}) => {
    signal?.throwIfAborted()
    const text = typeof stdin === 'object' ? new TextDecoder().decode(stdin) : stdin
    const request = { op: 'exec', argv, options: { ...options, ...(text === undefined ? {} : { stdin: text }) } } as const
    return (await port.ask(request)) as Awaited<ReturnType<Exec>>
  }
