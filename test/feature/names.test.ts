import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployment, echoPod, service, startWorld, variants, type World } from '../support/world.ts'

const DOMAIN = 'cluster.local'

describe.each(variants(17))('names of Services, $title', ({ asUser, slot }) => {
  let world: World
  let folder: string
  let runs = 0

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairway-images-'))
    await chmod(folder, 0o755)
    await writeFile(join(folder, 'images.yaml'), 'test/shell:\n  command: [sh, -c]\n', { mode: 0o644 })
    world = await startWorld({ asUser, slot, args: ['--images', join(folder, 'images.yaml')] })
    await world.kubectl.ok(['create', 'namespace', 'shop'])
    const inShop = (item: { readonly metadata: object }) => ({ ...item, metadata: { ...item.metadata, namespace: 'shop' } })
    await world.apply([
      inShop(deployment('web', echoPod('web'))),
      inShop(service('web')),
      inShop(service('pods', { clusterIP: 'None', selector: { app: 'web' } })),
      inShop(service('alias', { type: 'ExternalName', externalName: 'www.example.com', selector: undefined, ports: undefined })),
    ])
    await world.rollout('web', 'shop')
  })
  afterAll(async () => {
    await world?.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** What a shell script prints in a pod of the namespace `shop`. */
  const inPod = async (script: string, namespace = 'shop'): Promise<readonly string[]> => {
    const name = `shell-${++runs}`
    const spec = { restartPolicy: 'Never', containers: [{ name: 'shell', image: 'test/shell', args: [script] }] }
    await world.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec })
    await expect
      .poll(() => world.jsonpath('{.status.phase}', 'pod', name, '-n', namespace), { timeout: 30_000 })
      .toMatch(/Succeeded|Failed/)
    return (await world.kubectl.ok(['logs', name, '-n', namespace])).split('\n').filter(Boolean)
  }
  const podIPs = async () =>
    (await world.jsonpath('{.items[*].status.podIP}', 'pods', '-n', 'shop', '-l', 'app=web')).split(' ').sort()

  it('answers A, SRV, PTR, headless and ExternalName', async () => {
    const address = await world.clusterIP('web', 'shop')
    const web = `web.shop.svc.${DOMAIN}`
    await expect.poll(() => world.dig(web, 'A')).toEqual([address])
    expect(await world.dig(`_http._tcp.${web}`, 'SRV')).toEqual([`0 100 8080 ${web}.`])
    expect(await world.dig('-x', address)).toEqual([`${web}.`])
    const addresses = await podIPs()
    await expect.poll(async () => [...(await world.dig(`pods.shop.svc.${DOMAIN}`, 'A'))].sort()).toEqual(addresses)
    const targets = addresses.map((ip) => `0 100 8080 ${ip.replaceAll('.', '-')}.pods.shop.svc.${DOMAIN}.`)
    expect([...(await world.dig(`_http._tcp.pods.shop.svc.${DOMAIN}`, 'SRV'))].sort()).toEqual(targets.sort())
    expect(await world.dig('-x', addresses[0] ?? '')).toEqual([
      `${(addresses[0] ?? '').replaceAll('.', '-')}.pods.shop.svc.${DOMAIN}.`,
    ])
    expect(await world.dig(`alias.shop.svc.${DOMAIN}`, 'CNAME')).toEqual(['www.example.com.'])
    expect(await world.dig(`nobody.shop.svc.${DOMAIN}`, 'A')).toEqual([])
  })

  it('follows the pods of a headless Service', async () => {
    await world.kubectl.ok(['scale', 'deployment/web', '-n', 'shop', '--replicas=3'])
    await world.rollout('web', 'shop')
    await expect
      .poll(async () => [...(await world.dig(`pods.shop.svc.${DOMAIN}`, 'A'))].sort(), { timeout: 15_000 })
      .toEqual(await podIPs())
  })

  it.skipIf(asUser)('resolves short names inside a pod, and only its own namespace for the shortest', async () => {
    const address = await world.clusterIP('web', 'shop')
    const names = ['web', 'web.shop', 'web.shop.svc', `web.shop.svc.${DOMAIN}`]
    const lookUp = (name: string): string => `getent ahostsv4 ${name} | head -1 | cut -d' ' -f1`
    expect(await inPod(names.map(lookUp).join('; '))).toEqual(names.map(() => address))
    expect(await inPod(`${lookUp('web.shop')}; getent ahostsv4 web || echo unknown`, 'default')).toEqual([address, 'unknown'])
    expect(await inPod('dig +search +short web A; dig +search +short _http._tcp.web SRV')).toEqual([
      address,
      `0 100 8080 web.shop.svc.${DOMAIN}.`,
    ])
    const reached = await inPod('for host in web web.shop; do curl -sS -m 5 http://$host:8080/ | grep podIP; done')
    expect(reached).toEqual([expect.stringContaining('podIP'), expect.stringContaining('podIP')])
  })

  it.skipIf(!asUser)('an ordinary user asks the DNS server at its port: pods have the addresses as variables', async () => {
    const address = await world.clusterIP('web', 'shop')
    const [host = '', port = ''] = world.instance.status.dns.split(':')
    const script = `echo $WEB_SERVICE_HOST:$WEB_SERVICE_PORT_HTTP; dig +short @${host} -p ${port} web.shop.svc.${DOMAIN}`
    expect(await inPod(script)).toEqual([`${address}:8080`, address])
  })
})
