import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { describe, expect, it } from 'vitest'
import { loadLibc } from '../../host/native/index.ts'
import { type BpfHarness, bpfConformance } from './bpf.conformance.ts'
import { createBpf } from './index.ts'
import { at, exit, load, move, r0, r1 } from './instructions.ts'
import { fakeBpf, openTestCgroup } from './testing/index.ts'

bpfConformance('the fake', async (): Promise<BpfHarness> => {
  const bpf = fakeBpf()
  return {
    bpf,
    folder: undefined,
    ports: [1_080, 1_081],
    connect: async (port) =>
      bpf.openSocket({ cookie: 1n, protocol: 'TCP', family: 'IPv4' }).connect({ address: '127.0.0.1', port }).port,
    close: async () => {},
  }
})

const libc = await loadLibc()
const canUseKernel = process.getuid?.() === 0 && !('missing' in libc)

/** Answers each connection with its own port. */
const listen = async (): Promise<Server> => {
  const server = createServer((socket) => socket.end(String((server.address() as AddressInfo).port))) // it listens
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** A process of its own, which a test may put into a cgroup: connects to the ports that it is told. */
const CLIENT = `process.on('message', (port) => {
  let answer = ''
  const socket = require('node:net').connect(port, '127.0.0.1')
  socket.on('data', (chunk) => { answer += chunk })
  socket.on('error', (error) => process.send(error.message))
  socket.on('end', () => process.send(Number(answer)))
})
process.on('disconnect', () => process.exit())`

const startClient = (): ChildProcess =>
  spawn(process.execPath, ['-e', CLIENT], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })

// Without root, or where koffi cannot be loaded, there is no bpf(2) to try; the fake runs the same suite.
describe.skipIf(!canUseKernel)('bpf(2) of this machine', () => {
  if ('missing' in libc) return
  bpfConformance('the kernel', async (): Promise<BpfHarness> => {
    const cgroup = await openTestCgroup()
    const servers = [await listen(), await listen()]
    const [from = 0, to = 0] = servers.map((server) => (server.address() as AddressInfo).port) // they listen
    const client = startClient()
    await cgroup.add(client.pid ?? 0)
    return {
      bpf: createBpf({ libc }),
      folder: cgroup.folder,
      ports: [from, to],
      async connect(port) {
        const answer = once(client, 'message')
        client.send(port)
        const [reached] = await answer
        return Number(reached)
      },
      async close() {
        const exited = once(client, 'exit')
        client.disconnect()
        await exited
        for (const server of servers) server.close()
        await cgroup.close()
      },
    }
  })

  it('tells what the verifier says of a program that it refuses', () => {
    const bpf = createBpf({ libc })
    const program = {
      name: 'fw_test',
      hook: 'connect4' as const,
      instructions: [load('u64', r0, at(r1, 1_000)), move(r0, 1), exit],
    }
    expect(() => bpf.load(program, new Map())).toThrow(
      expect.objectContaining({
        code: 'EACCES',
        message: expect.stringContaining('invalid bpf_context access'),
        stderr: expect.stringContaining('processed'),
      }),
    )
  })
  it('opens the root of the cgroup tree, whether it is mounted or not', async () => {
    const cgroup = await createBpf({ libc }).openCgroup()
    expect(cgroup.description).toMatch(/^cgroup v2 (at \/|through a mount of our own)/)
    expect(cgroup.attached('connect4', 'nobody-has-it')).toEqual([])
    cgroup.close()
  })
  it('refuses a cgroup that does not exist', async () => {
    await expect(createBpf({ libc }).openCgroup('/sys/fs/cgroup/there-is-none')).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
