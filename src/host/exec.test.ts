import { describe, expect, it } from 'vitest'
import { realExec } from './exec.ts'

const code = (expected: string) => expect.objectContaining({ name: 'HostError', code: expected })

describe('realExec', () => {
  it('gives output, errors and exit code of a command without a shell', async () => {
    expect(await realExec(['printf', '%s', '$HOME;ls'])).toEqual({ stdout: '$HOME;ls', stderr: '', code: 0 })
  })

  it('feeds standard input', async () => {
    expect((await realExec(['cat'], { stdin: 'a\0b' })).stdout).toBe('a\0b')
  })

  it('rejects with the exit code and what the command said', async () => {
    await expect(realExec(['sh', '-c', 'echo gone >&2; exit 3'])).rejects.toMatchObject({
      code: 'EEXIT',
      exitCode: 3,
      stderr: 'gone\n',
      message: 'sh -c echo gone >&2; exit 3: exit code 3: gone',
    })
  })

  it('accepts the exit codes that it was told to', async () => {
    expect((await realExec(['sh', '-c', 'exit 3'], { okCodes: [0, 3] })).code).toBe(3)
  })

  it('names the Debian package of a missing tool', async () => {
    await expect(realExec(['/nowhere/nft'])).rejects.toMatchObject({
      code: 'ENOENT',
      message: 'command /nowhere/nft not found; install it: apt-get install nftables',
    })
  })

  it('kills the whole process group at the timeout', async () => {
    await expect(realExec(['sh', '-c', 'sleep 60 & wait'], { timeoutMs: 50 })).rejects.toEqual(code('ETIMEDOUT'))
  })

  it('stops at the output limit', async () => {
    await expect(realExec(['yes'], { maxOutputBytes: 1000 })).rejects.toEqual(code('ENOBUFS'))
  })

  it('stops on abort, before and during', async () => {
    await expect(realExec(['true'], { signal: AbortSignal.abort() })).rejects.toEqual(code('ABORT_ERR'))
    const controller = new AbortController()
    const running = realExec(['sleep', '60'], { signal: controller.signal })
    controller.abort()
    await expect(running).rejects.toEqual(code('ABORT_ERR'))
  })

  it('survives a command that never reads its input', async () => {
    expect((await realExec(['true'], { stdin: 'x'.repeat(1_000_000) })).code).toBe(0)
  })
})
