import { describe, expect, it } from 'vitest'
import { PROXY_MODES } from '../proxy/index.ts'
import { areSharedNamesFree, claimOfSharedNames, sharesNames } from './shared-names.ts'

describe("kube-proxy's names in the kernel", () => {
  it('are those of iptables and ipvs', () => {
    expect(PROXY_MODES.filter((mode) => mode !== 'auto' && sharesNames(mode))).toEqual(['iptables', 'ipvs'])
  })

  it('belong to one at a time, until it ends', async () => {
    const stop = new AbortController()
    const { stopped } = await claimOfSharedNames('iptables').start(stop.signal)
    await expect(claimOfSharedNames('ipvs').start(stop.signal)).rejects.toThrow(
      /another fairway .* --proxy-mode=ipvs .* choose nftables/,
    )
    expect(await areSharedNamesFree()).toBe(false)
    stop.abort()
    await stopped
    expect(await areSharedNamesFree()).toBe(true)
    const again = new AbortController()
    const { stopped: ended } = await claimOfSharedNames('ipvs').start(again.signal)
    again.abort()
    await ended
  })
})
