import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { claimOfSharedNames, holderOfSharedNames, PROXY_MODES, sharesNames } from './index.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const claim = async (mode: 'iptables' | 'ipvs', who = 'fairway of a test'): Promise<() => Promise<void>> => {
  const stop = new AbortController()
  const { stopped } = await claimOfSharedNames(mode, who).start(stop.signal)
  const release = async (): Promise<void> => {
    stop.abort()
    await stopped
  }
  stops.push(release)
  return release
}

const SOCKET = '\0fairway-kube-proxy-names'

describe("kube-proxy's names in the kernel", () => {
  it('are those of iptables and ipvs', () => {
    expect(PROXY_MODES.filter((mode) => mode !== 'auto' && sharesNames(mode))).toEqual(['iptables', 'ipvs'])
  })

  it('belong to one at a time, until it ends; the second is told whose they are and what to do', async () => {
    const release = await claim('iptables')
    await expect(claim('ipvs')).rejects.toThrow(
      `another fairway on this machine (fairway of a test, pid ${process.pid}) uses the chains that --proxy-mode=ipvs needs (kube-proxy's names); end it, or choose nftables, ebpf or userspace`,
    )
    expect(await holderOfSharedNames()).toBe(`fairway of a test, pid ${process.pid}`)
    await release()
    expect(await holderOfSharedNames()).toBeUndefined()
    await claim('ipvs')
  })

  it('are free when their holder was killed', async () => {
    const program = `require('node:net').createServer().listen(${JSON.stringify(SOCKET)}, () => console.log('holds'))`
    const holder = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(holder.stdout, 'data')
    await expect(claim('iptables')).rejects.toThrow('which does not answer')
    const exited = once(holder, 'exit')
    holder.kill('SIGKILL')
    await exited
    await claim('iptables')
  })

  it('are given back although somebody who asked stays', async () => {
    const release = await claim('iptables')
    const socket = connect({ path: SOCKET, allowHalfOpen: true })
    await once(socket, 'connect')
    await release()
    socket.destroy()
    expect(await holderOfSharedNames()).toBeUndefined()
  })

  it('are held in words that fit a line, whatever the holder says', async () => {
    const squatter = createServer((socket) => socket.end(`one\nline\u001b[2J ${'x'.repeat(10_000)}`)).listen({ path: SOCKET })
    await once(squatter, 'listening')
    stops.push(async () => void squatter.close())
    expect(await holderOfSharedNames()).toMatch(/^one\?line\?\[2J x{180,}$/)
  })
})
