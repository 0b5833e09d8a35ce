import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, readFileSync, statSync, truncateSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openJournal } from './journal.ts'
import { emptyState, evolve } from './state.ts'
import { firstLine, tcpBackend } from './testing/backends.ts'
import { clientsOf } from './testing/cloud.ts'

const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const keys = { secretId: 'AKIDrestart', secretKey: 'key-of-restart' }

describe('fairway cloud', () => {
  let dir: string
  const children: ChildProcess[] = []
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairway-cloud-'))
  })
  afterEach(async () => {
    await Promise.all(children.splice(0).map((child) => kill(child, 'SIGKILL')))
  })
  afterAll(() => rm(dir, { recursive: true }))

  const start = (taskMs: number): Promise<{ readonly child: ChildProcess; readonly port: number; readonly output: string }> =>
    new Promise((resolve, reject) => {
      const args = ['cloud', '--listen', '127.0.0.1:0', '--data-dir', dir, '--task-ms', String(taskMs), '--calls-per-second', '0']
      const env = { ...process.env, TENCENTCLOUD_SECRET_ID: keys.secretId, TENCENTCLOUD_SECRET_KEY: keys.secretKey }
      const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      children.push(child)
      let output = ''
      const read = (chunk: Buffer): void => {
        output += chunk.toString()
        const port = /API http:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1]
        if (port !== undefined) resolve({ child, port: Number(port), output })
      }
      child.stdout.on('data', read)
      child.stderr.on('data', read)
      child.once('exit', () => reject(new Error(output)))
    })

  const kill = (child: ChildProcess, signal: NodeJS.Signals): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve()
      child.once('exit', () => resolve())
      child.kill(signal)
    })

  it('killed in the middle of a task goes on with it, and traffic is there again', async () => {
    const backend = await tcpBackend('a')
    const first = await start(1)
    const { clb } = clientsOf(first.port, keys)
    const status = async (client: typeof clb, TaskId = '') => (await client.DescribeTaskStatus({ TaskId })).Status
    const made = await clb.CreateLoadBalancer({
      LoadBalancerType: 'OPEN',
      ClientToken: 't',
      Tags: [{ TagKey: 'a', TagValue: 'b' }],
    })
    await expect.poll(() => status(clb, made.RequestId)).toBe(0)
    const LoadBalancerId = made.LoadBalancerIds?.[0] ?? ''
    const listener = await clb.CreateListener({ LoadBalancerId, Ports: [8001], Protocol: 'TCP' })
    await expect.poll(() => status(clb, listener.RequestId)).toBe(0)
    const ListenerId = listener.ListenerIds?.[0] ?? ''
    await clb.BatchRegisterTargets({ LoadBalancerId, Targets: [{ ListenerId, EniIp: '127.0.0.1', Port: backend.port }] })
    await kill(first.child, 'SIGTERM')

    const slow = await start(600_000)
    const task = await clientsOf(slow.port, keys).clb.CreateListener({ LoadBalancerId, Ports: [8002], Protocol: 'TCP' })
    await kill(slow.child, 'SIGKILL')

    const last = await start(1)
    const client = clientsOf(last.port, keys).clb
    await expect.poll(() => status(client, task.RequestId)).toBe(0)
    const found = await client.DescribeLoadBalancers({ Filters: [{ Name: 'tag:a', Values: ['b'] }] })
    expect(found.LoadBalancerSet?.map((one) => one.LoadBalancerId)).toEqual([LoadBalancerId])
    expect(
      (await client.CreateLoadBalancer({ LoadBalancerType: 'OPEN', ClientToken: 't', Tags: [{ TagKey: 'a', TagValue: 'b' }] }))
        .LoadBalancerIds,
    ).toEqual([LoadBalancerId])
    expect((await client.DescribeListeners({ LoadBalancerId })).Listeners?.map(({ Port }) => Port)).toEqual([8001, 8002])
    expect(await firstLine(found.LoadBalancerSet?.[0]?.LoadBalancerVips?.[0] ?? '', 8001)).toBe('a')

    await expect(start(1)).rejects.toThrow(/is used by process \d+; stop it or choose another folder/)
    expect(last.output).not.toContain(keys.secretKey)
    for (const name of await readdir(dir)) {
      expect(statSync(join(dir, name)).mode & 0o077).toBe(0)
      expect(readFileSync(join(dir, name), 'utf8')).not.toContain(keys.secretKey)
    }
    await backend.stop()
  }, 60_000)
})

describe('the journal', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairway-journal-'))
  })
  afterAll(() => rm(dir, { recursive: true }))
  const tagged = (n: number) => [{ tags: `lb-${n % 7}`, to: { n: String(n) } }]

  it('has every step that was written, wherever its file was cut off, and over its own shortening', () => {
    let state = emptyState
    const first = openJournal(dir, 2_000)
    for (let n = 0; n < 200; n++) {
      state = evolve(state, tagged(n))
      first.append(tagged(n), state)
    }
    first.close()
    const path = join(dir, 'events.jsonl')
    expect(statSync(path).size).toBeLessThanOrEqual(2_000)
    appendFileSync(path, '{"step":999,"ev')
    const second = openJournal(dir, 2_000)
    expect(second.state).toEqual(state)
    state = evolve(state, tagged(300))
    second.append(tagged(300), state)
    second.close()
    const third = openJournal(dir)
    expect(third.state).toEqual(state)
    third.close()
    // The last step is lost with its line's end; what was there before it is not.
    truncateSync(path, statSync(path).size - 3)
    const cut = openJournal(dir)
    expect(cut.state.tags.get('lb-6')).toEqual({ n: '195' })
    expect(cut.state.tags.size).toBe(7)
    cut.close()
  })

  it('is refused when it is not ours', () => {
    appendFileSync(join(dir, 'events.jsonl'), 'nonsense\n')
    expect(() => openJournal(dir)).toThrow(/is not a state of this emulator .* choose another --data-dir/)
  })
})
