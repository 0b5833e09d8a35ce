import { describe, expect, it } from 'vitest'
import { bindPort } from './bind.ts'

const failing = (code: string) => Object.assign(new Error(code), { code })

describe('a port', () => {
  it.each([
    ['as asked for', 80, 20_000, {}, 80],
    ['moved where the user may not bind it', 80, 20_000, { 80: 'EACCES' }, 20_080],
  ] as const)('is had %s', async (_what, port, offset, refusals: Readonly<Record<number, string>>, expected) => {
    const listen = async (at: number): Promise<number> => {
      const code = refusals[at]
      if (code !== undefined) throw failing(code)
      return at
    }
    expect(await bindPort({ address: '127.0.0.1', port }, offset, listen)).toBe(expected)
  })

  it.each([
    ['that another process has', 80, 20_000, { 80: 'EADDRINUSE' }, /127\.0\.0\.1:80 is in use by another process/],
    ['whose substitute is taken', 80, 20_000, { 80: 'EACCES', 20080: 'EADDRINUSE' }, /:20080 is in use/],
    ['that may not be moved', 80, 0, { 80: 'EACCES' }, /:80 may not be bound by this user/],
    ['of an address that is not here', 8080, 20_000, { 8080: 'EADDRNOTAVAIL' }, /is no address of this machine/],
    ['that fails otherwise', 8080, 20_000, { 8080: 'EMFILE' }, /can't be listened on \(EMFILE\)/],
  ] as const)('%s is refused', async (_what, port, offset, refusals: Readonly<Record<number, string>>, message) => {
    const listen = (at: number): Promise<number> => Promise.reject(failing(refusals[at] ?? ''))
    await expect(bindPort({ address: '127.0.0.1', port }, offset, listen)).rejects.toThrow(message)
  })
})
