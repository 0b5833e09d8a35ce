import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { choosePort } from './ports.ts'

const request = { what: 'ingress http', address: '127.0.0.1', firstBindablePort: 1024 }

describe('choosePort', () => {
  it.each([0, 1024, 8080])('takes %i as it is', async (port) => {
    expect(await choosePort({ ...request, port })).toEqual({ port })
  })

  it('takes the next free substitute for a port that is not allowed', async () => {
    const first = await choosePort({ ...request, address: '127.0.0.77', port: 80 })
    expect(first).toMatchObject({ port: 8080, substitution: { what: 'ingress http', port: 80, substitute: 8080 } })
    const taken = createServer().listen(8080, '127.0.0.77')
    await once(taken, 'listening')
    expect(await choosePort({ ...request, address: '127.0.0.77', port: 80 })).toMatchObject({ port: 8081 })
    taken.close()
    await once(taken, 'close')
  })

  it('lets root have every port', async () => {
    expect(await choosePort({ ...request, firstBindablePort: 0, port: 80 })).toEqual({ port: 80 })
  })
})
