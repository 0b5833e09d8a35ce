import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findCredential } from './credentials.ts'
import { readSettings } from './settings.ts'

describe('fairway cloud', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairway-cloud-flags-'))
    await writeFile(join(dir, 'bad.yaml'), 'a: [')
    await writeFile(join(dir, 'odd.yaml'), 'machines: []')
    await writeFile(
      join(dir, 'good.yaml'),
      'vpcId: vpc-1\ninstances: [{id: ins-a, address: 127.0.0.1, privateAddress: 10.0.0.5}]\nsubnets: [{id: subnet-a, cidr: 10.0.0.0/24}]\n',
    )
    await writeFile(join(dir, 'secret.json'), '{"secretId": "top-secret-text')
  })
  afterAll(() => rm(dir, { recursive: true }))

  it('reads its flags', async () => {
    const settings = await readSettings({
      dataDir: '/d',
      listen: '[::1]:0',
      inventory: join(dir, 'good.yaml'),
      instance: ['ins-b=127.0.0.2,10.0.0.6'],
      subnet: ['subnet-b=10.1.0.0/16'],
      quota: ['TOTAL_OPEN_CLB_QUOTA=5'],
      taskMs: '0',
      forwarding: false,
    })
    expect(settings).toMatchObject({
      dataDir: '/d',
      listen: { address: '::1', port: 0 },
      quotas: { TOTAL_OPEN_CLB_QUOTA: 5 },
      taskMs: 0,
      isForwarding: false,
      inventory: {
        vpcId: 'vpc-1',
        instances: [{ id: 'ins-a' }, { id: 'ins-b', privateAddress: '10.0.0.6' }],
        subnets: [{ id: 'subnet-a' }, { id: 'subnet-b' }],
      },
    })
  })

  it.each<readonly [Readonly<Record<string, unknown>>, RegExp]>([
    [{ dataDir: undefined }, /^--data-dir: is required$/],
    [{ listen: 'localhost:1' }, /^--listen: "localhost:1" is not ADDRESS:PORT/],
    [{ listen: '127.0.0.1:70000' }, /^--listen: /],
    [{ taskMs: '-1' }, /^--task-ms: "-1" is not a whole number from 0/],
    [{ secondMs: '0' }, /^--second-ms: /],
    [{ region: 'x y' }, /^--region: /],
    [{ logLevel: 'loud' }, /^--log-level: "loud" is none of debug/],
    [{ instance: ['ins-a'] }, /^--instance: "ins-a" is not KEY=VALUE$/],
    [{ instance: ['ins-a=host'] }, /^--instance: "host" of ins-a is no address$/],
    [{ instance: ['ins-a=127.0.0.1,10.0.0.1,10.0.0.2'] }, /more than two addresses/],
    [{ subnet: ['subnet-a=10'] }, /^--subnet: /],
    [{ quota: ['X=1'] }, /^--quota: there is no "X"$/],
    [{ quota: ['TOTAL_OPEN_CLB_QUOTA=many'] }, /^--quota: "many" is not a whole number$/],
    [{ certificate: ['a=/nowhere/a.pem'] }, /^--certificate: \/nowhere\/a.pem can't be read \(ENOENT\)$/],
    [{ inventory: '/nowhere/i.yaml' }, /^--inventory: /],
  ])('refuses %j in one line', async (given, message) => {
    await expect(readSettings({ dataDir: '/d', ...given })).rejects.toThrow(message)
  })

  it.each(['bad.yaml', 'odd.yaml'])('refuses the inventory %s in one line', async (name) => {
    await expect(readSettings({ dataDir: '/d', inventory: join(dir, name) })).rejects.toThrow(
      /^--inventory [^\n]*(is no YAML|there is no field)[^\n]*$/,
    )
  })

  it('finds its credential in flags, a file, the environment, or makes one, and quotes none', async () => {
    const env = { TENCENTCLOUD_SECRET_ID: 'env', TENCENTCLOUD_SECRET_KEY: 'key' }
    expect((await findCredential({ secretId: 'flag', secretKey: 'key' }, env, dir)).credential.secretId).toBe('flag')
    expect(await findCredential({}, env, dir)).toEqual({
      credential: { secretId: 'env', secretKey: 'key' },
      source: '$TENCENTCLOUD_SECRET_ID',
    })
    const made = await findCredential({}, {}, dir)
    expect((await stat(made.source)).mode & 0o777).toBe(0o600)
    expect(await findCredential({}, {}, dir)).toEqual(made)
    const broken = findCredential({ credentialsFile: join(dir, 'secret.json') }, env, dir)
    await expect(broken).rejects.toThrow('JSON with the texts secretId and secretKey is expected')
    await expect(broken).rejects.not.toThrow('top-secret-text')
    await expect(findCredential({ secretId: 'x' }, env, dir)).rejects.toThrow('belong together')
  })
})
