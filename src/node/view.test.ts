import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configMapKind, type Pod, secretKind } from '../api/index.ts'
import { pod } from '../api/testing/index.ts'
import { realHost } from '../host/index.ts'
import { NODE, type NodeLab, startNodeLab } from './testing/node-lab.ts'

const { processNamespaces, isRoot, networkNamespaces } = await realHost().capabilities()

describe.skipIf(!isRoot || !processNamespaces.usable || !networkNamespaces.usable)('what a container sees (needs root)', () => {
  let lab: NodeLab
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairway-view-'))
    await mkdir(join(folder, 'root/bin'), { recursive: true })
    await writeFile(join(folder, 'catalogue.yaml'), 'test/shell: sh\n')
    lab = await startNodeLab({ kind: 'netns', catalogueFile: join(folder, 'catalogue.yaml') })
  })
  afterAll(async () => {
    await lab.close()
    await rm(folder, { recursive: true, force: true })
  })

  const output = async (name: string, script: string, spec: Partial<Pod['spec']> = {}, container = {}): Promise<string> => {
    const command = { image: 'test/shell', command: ['sh', '-c', script], ...container }
    await lab.create(
      pod(name)
        .node(NODE)
        .container(command)
        .spec({ restartPolicy: 'Never', ...spec })
        .build(),
    )
    const ended = await lab.when(name, ({ status }) => ['Succeeded', 'Failed'].includes(status?.phase ?? ''))
    const log = await lab.readLog(name)
    if (ended.status?.phase === 'Failed') throw new Error(log)
    return log
  }

  it('its own processes, host name, address, and DNS with the search list of its namespace', async () => {
    const log = await output(
      'own',
      'hostname; cat /proc/[0-9]*/comm | sort -u | tr "\\n" " "; echo; ls /sys/class/net >/dev/null; cat /etc/resolv.conf; grep own /etc/hosts',
    )
    const [hostname, processes, ...rest] = log.split('\n')
    expect(hostname).toBe('own')
    expect(processes?.trim().split(' ')).toEqual(expect.arrayContaining(['cat', 'sh']))
    expect(processes).not.toContain('node')
    expect(rest.join('\n')).toContain(`nameserver ${lab.network.nodeAddress}`)
    expect(rest.join('\n')).toMatch(/^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/)
    expect(rest.join('\n')).toContain('options ndots:5')
    expect(rest.join('\n')).toContain(`${lab.pods.get('default', 'own')?.status?.podIP}\town`)
  })

  it('ConfigMaps, Secrets, the downward API and shared folders at their mount paths', async () => {
    const metadata = { name: 'shown', namespace: 'default' }
    await lab.api.client.create(configMapKind, { metadata, data: { 'a.conf': 'alpha', 'b.conf': 'beta' } })
    await lab.api.client.create(secretKind, { metadata, data: { token: Buffer.from('hush').toString('base64') } })
    const volumes: Pod['spec']['volumes'] = [
      { name: 'map', configMap: { name: 'shown', items: [{ key: 'a.conf', path: 'sub/a' }] } },
      { name: 'secret', secret: { secretName: 'shown', defaultMode: 0o400 } },
      { name: 'labels', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
      { name: 'scratch', emptyDir: {} },
      { name: 'one', configMap: { name: 'shown' } },
    ]
    const volumeMounts = [
      { name: 'map', mountPath: '/usr/share/nginx/html', readOnly: true },
      { name: 'secret', mountPath: '/var/run/secrets/here' },
      { name: 'labels', mountPath: '/podinfo' },
      { name: 'scratch', mountPath: '/scratch' },
      { name: 'one', mountPath: '/etc/one.conf', subPath: 'b.conf' },
    ]
    const script =
      'cat /usr/share/nginx/html/sub/a; echo; cat /run/secrets/here/token; echo; stat -L -c %a /run/secrets/here/token; cat /podinfo/name; echo; ' +
      'echo x > /scratch/x && cat /scratch/x; cat /etc/one.conf; echo; touch /usr/share/nginx/html/no 2>/dev/null || echo read-only'
    expect(await output('shown', script, { volumes }, { volumeMounts })).toBe('alpha\nhush\n400\nshown\nx\nbeta\nread-only\n')
    await expect(access('/scratch')).rejects.toThrow()
    await expect(access('/run/secrets/here')).rejects.toThrow()
  })

  it('a machine that its writes do not change, without the node’s data', async () => {
    const script = `echo hi > /fairway-view-test; cat /fairway-view-test; ls -A ${lab.dataDir} | wc -l; ls -A /run | wc -l`
    expect(await output('writes', script)).toBe('hi\n0\n0\n')
    await expect(access('/fairway-view-test')).rejects.toThrow()
  })

  it('changes of a mounted ConfigMap while it runs', async () => {
    const metadata = { name: 'changing', namespace: 'default' }
    const created = await lab.api.client.create(configMapKind, { metadata, data: { key: 'old' } })
    const volumes = [{ name: 'map', configMap: { name: 'changing' } }]
    const script = 'cat /map/key; echo; while ! grep -q new /map/key; do sleep 0.02; done; cat /map/key'
    const done = output('changing', script, { volumes }, { volumeMounts: [{ name: 'map', mountPath: '/map' }] })
    await lab.whenLogged('changing', 'old')
    await lab.api.client.update(configMapKind, { ...created, data: { key: 'new' } })
    expect(await done).toBe('old\nnew')
  })

  it('nothing of volumes that lead out of themselves or onto the kernel', async () => {
    const volumes = [{ name: 'scratch', emptyDir: {} }]
    for (const [name, mount] of [
      ['subpath', { name: 'scratch', mountPath: '/x', subPath: '../../..' }],
      ['kernel', { name: 'scratch', mountPath: '/proc/x' }],
      ['nothing', { name: 'none', mountPath: '/x' }],
    ] as const) {
      await lab.create(
        pod(name)
          .node(NODE)
          .container({ image: 'test/shell', command: ['true'], volumeMounts: [mount] })
          .spec({ volumes })
          .build(),
      )
      const waiting = await lab.when(
        name,
        ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
      )
      expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.message).toMatch(/volumeMount "(scratch|none)"/)
    }
  })

  it('serves a mounted page with the web sample', async () => {
    await lab.api.client.create(configMapKind, {
      metadata: { name: 'page', namespace: 'default' },
      data: { 'index.html': '<h1>mine</h1>' },
    })
    const volumes = [{ name: 'html', configMap: { name: 'page' } }]
    const container = {
      image: 'nginx:1.27',
      volumeMounts: [{ name: 'html', mountPath: '/usr/share/nginx/html' }],
      readinessProbe: { httpGet: { path: '/', port: 80 } },
    }
    await lab.create(pod('nginx').node(NODE).container(container).spec({ volumes }).build())
    const ready = await lab.whenReady('nginx')
    const answer = await fetch(`http://${ready.status?.podIP}/`)
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      200,
      'text/html; charset=utf-8',
      '<h1>mine</h1>',
    ])
    expect((await fetch(`http://${ready.status?.podIP}/../../etc/passwd`)).status).toBe(404)
    expect(await (await fetch(`http://${ready.status?.podIP}/hostname.html`)).text()).toBe('nginx\n')
  })
})
