import { describe, expect, it } from 'vitest'
import { realExec } from './exec.ts'
import { realHost } from './host.ts'

describe('capabilities', () => {
  it('agrees with what the machine lets us do, and leaves nothing behind', async () => {
    const capabilities = await realHost().capabilities()
    expect(capabilities.isRoot).toBe(process.geteuid?.() === 0)
    expect(capabilities.unprivilegedPortStart).toBeGreaterThanOrEqual(0)
    if (!capabilities.networkNamespaces.usable) expect(capabilities.networkNamespaces.reason).not.toBe('')
    const links = capabilities.tools.has('ip') ? (await realExec(['ip', '-o', 'link'])).stdout : ''
    expect(links).not.toContain(`fwp${process.pid}`)
  })
})
