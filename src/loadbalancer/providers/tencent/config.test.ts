import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { readConfig } from './config.ts'

const env = { TENCENTCLOUD_SECRET_ID: 'AKIDhidden', TENCENTCLOUD_SECRET_KEY: 'keyhidden' }
const dir = mkdtempSync(join(tmpdir(), 'fairway-config-'))
afterAll(() => rmSync(dir, { recursive: true }))

const credentials = (text: string, mode = 0o600): string => {
  const path = join(dir, `credentials-${mode}`)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

describe('readConfig', () => {
  it('needs a region and credentials, and has a default for the rest', () => {
    expect(readConfig({ region: 'ap-guangzhou' }, env)).toMatchObject({
      kind: 'config',
      config: {
        region: 'ap-guangzhou',
        nodeTargets: 'instance',
        drainSeconds: 30,
        callsPerSecond: 20,
        loadBalancerClass: 'fairway.dev/tencent',
        servesNoClass: true,
      },
    })
    expect(readConfig(undefined, { ...env, TENCENTCLOUD_REGION: 'ap-beijing' })).toMatchObject({
      config: { region: 'ap-beijing' },
    })
  })

  it.each<[string, unknown, Readonly<Record<string, string>>, readonly string[]]>([
    [
      'nothing',
      undefined,
      {},
      [
        'region is needed, here or as TENCENTCLOUD_REGION',
        'credentialsFile is needed, or TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY in the environment',
      ],
    ],
    ['a list', [], env, ['the file must be an object', 'region is needed, here or as TENCENTCLOUD_REGION']],
    ['a field that nobody knows', { region: 'ap-guangzhou', secretKey: 'x' }, env, ['secretKey is not known']],
    [
      'an endpoint with a path',
      { region: 'ap-guangzhou', endpoint: 'http://h/x' },
      env,
      ['endpoint must be a URL of http or https with nothing behind the host and port'],
    ],
    [
      'an endpoint with a password',
      { region: 'ap-guangzhou', endpoint: 'http://a:b@h' },
      env,
      ['endpoint must be a URL of http or https with nothing behind the host and port'],
    ],
    ['a number as text', { region: 'ap-guangzhou', drainSeconds: '5' }, env, ['drainSeconds must be from 0 to 3600']],
    [
      'a rate of nothing',
      { region: 'ap-guangzhou', callsPerSecondByAction: { A: 0 } },
      env,
      ['callsPerSecondByAction must have a number above 0 for each action'],
    ],
    ['targets of another kind', { region: 'ap-guangzhou', nodeTargets: 'pod' }, env, ['nodeTargets must be instance or address']],
  ])('tells of %s', (_title, file, given, problems) => {
    expect(readConfig(file, given)).toEqual({ kind: 'problems', problems })
  })

  it('reads credentials from a file, and warns when others can read it', () => {
    const text = '{"secretId":"AKIDhidden","secretKey":"keyhidden"}'
    expect(readConfig({ region: 'ap-guangzhou', credentialsFile: credentials(text) }, {})).toMatchObject({
      kind: 'config',
      warnings: [],
    })
    const open = credentials(text, 0o644)
    expect(readConfig({ region: 'ap-guangzhou', credentialsFile: open }, {})).toMatchObject({
      warnings: [`credentialsFile ${open} can be read by others; chmod 600 it`],
    })
  })

  it.each(['AKIDhidden: [keyhidden', '{"secretId":"AKIDhidden","key":"keyhidden"}', 'keyhidden'])(
    'tells nothing of what is in a file such as %s',
    (text) => {
      const told = inspect(readConfig({ region: 'ap-guangzhou', credentialsFile: credentials(text) }, {}), {
        depth: 9,
        showHidden: true,
      })
      expect(told).toContain('must have the texts secretId and secretKey')
      expect(told).not.toContain('hidden')
    },
  )

  it('prints without the credentials', () => {
    expect(inspect(readConfig({ region: 'ap-guangzhou' }, env), { depth: 9, showHidden: true })).not.toMatch(
      /AKIDhidden|keyhidden/,
    )
  })
})
