import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { command, type Instance, instanceArgs, newDataDir, startInstance } from '../support/instance.ts'
import { tracesOf } from '../support/traces.ts'

const FAIRWAY = fileURLToPath(new URL('../../bin/fairway.js', import.meta.url))
const SHOP = fileURLToPath(new URL('../../examples/shop', import.meta.url))

describe('the command line against a running instance', () => {
  let instance: Instance
  beforeAll(async () => {
    instance = await startInstance({ slot: 19, args: ['-f', SHOP] })
  })
  afterAll(() => instance.stop())

  it('get shows what there is and tells what is not', async () => {
    const { code, stdout, stderr } = await instance.fairway('get', 'svc', 'web', 'frog', '-n', 'shop')
    expect(stdout).toMatch(/^NAME .*\nweb +ClusterIP/)
    expect(stderr).toBe('fairway: error from server (NotFound): services "frog" not found\n')
    expect(code).toBe(1)
  })

  it('get takes TYPE/NAME of several types, and names the type in each row', async () => {
    const { stdout } = await instance.fairway('get', 'svc/web', 'ing/shop', '-n', 'shop')
    expect(stdout).toMatch(/\nservice\/web /)
    expect(stdout).toMatch(/\ningress\.networking\.k8s\.io\/shop /)
  })

  it('get -o json is a List for every list, also an empty one', async () => {
    const { code, stdout } = await instance.fairway('get', 'ing', '-n', 'default', '-o', 'json')
    expect({ code, items: JSON.parse(stdout).items }).toEqual({ code: 0, items: [] })
  })

  it('output that is cut off is no error', async () => {
    const script = `"${process.execPath}" "${FAIRWAY}" get svc -A -o yaml --data-dir "${instance.dataDir}" | head -1; echo "\${PIPESTATUS[0]}"`
    const { stdout, stderr } = await command('bash', ['-c', script])
    expect({ stdout, stderr }).toEqual({ stdout: 'apiVersion: v1\n0\n', stderr: '' })
  })

  it.each([
    [['get', 'svc/'], 2, 'is not TYPE/NAME'],
    [['get', 'svc', 'web', '-A'], 2, 'do not go together'],
    [['delete', 'svc', 'web', '--all'], 2, 'do not go together'],
    [['delete'], 2, 'name a resource'],
    [['get', 'frogs'], 1, `doesn't have a resource type "frogs"`],
    [['explain', 'frog'], 1, 'neither a URL nor address:port'],
    [['status', '--wait', 'soon'], 2, 'is not a duration'],
    [['logs', 'frog'], 1, 'pods "frog" not found'],
  ])('%s: exit code %i and one line', async (args, code, message) => {
    const output = await instance.fairway(...args)
    expect(output.code).toBe(code)
    expect(output.stderr.trim().split('\n')).toEqual([expect.stringContaining(message)])
    expect(output.stdout).toBe('')
  })
})

describe('what ends fairway up', () => {
  it.each(['SIGHUP', 'SIGINT', 'SIGTERM'] as const)(
    '%s, with its output closed, leaves nothing on the machine',
    async (signal) => {
      const dataDir = await newDataDir(false)
      const args = [FAIRWAY, 'up', ...instanceArgs(dataDir, { slot: 20, args: ['-f', SHOP] })]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      const exited = once(child, 'exit')
      try {
        const status = ['status', '--wait', '60s', '--data-dir', dataDir]
        expect((await command(process.execPath, [FAIRWAY, ...status])).code).toBe(0)
        child.stdout.destroy()
        child.stderr.destroy()
        child.kill(signal)
        expect(await exited).toEqual(signal === 'SIGHUP' ? [null, 'SIGHUP'] : [0, null])
        expect(await tracesOf(dataDir, 20)).toEqual([])
        expect(await readdir(dataDir)).not.toContain('status.json')
      } finally {
        child.kill('SIGKILL')
        await rm(dataDir, { recursive: true, force: true })
      }
    },
  )
})
