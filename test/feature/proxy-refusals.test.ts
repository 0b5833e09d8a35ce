import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newDataDir } from '../support/instance.ts'
import { freePort, runProxy } from '../support/proxy.ts'

describe('fairway proxy, what goes wrong', () => {
  let folder: string
  beforeAll(async () => {
    folder = await newDataDir(false)
    await chmod(folder, 0o755)
    const kubeconfig = (server: string): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server } }],
        users: [{ name: 'u', user: {} }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      })
    await writeFile(join(folder, 'nobody'), kubeconfig(`https://127.0.0.1:${await freePort()}`))
    const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n'
    await writeFile(join(folder, 'wrong.yaml'), `${head}mode: magic\nconntrack: {min: many}\n`)
    await writeFile(
      join(folder, 'odd.yaml'),
      `${head}colour: red\nconfigSyncPeriod: 15m\nclientConnection: {kubeconfig: ${folder}/none}\n`,
    )
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const one = (code: number, text: RegExp) => ({ code, lines: [expect.stringMatching(text)] })
  it.each([
    ['no kubeconfig', [], one(1, /^fairway: no API server: name a kubeconfig with --kubeconfig/)],
    [
      'a kubeconfig that is not there',
      ['--kubeconfig', '/nonexistent'],
      one(1, /^fairway: the kubeconfig \/nonexistent can't be read/),
    ],
    [
      'an API server that is not there',
      ['--kubeconfig', 'DIR/nobody'],
      one(1, /^fairway: no answer from the API server .*ECONNREFUSED.*; check that it runs/),
    ],
    ['a master that is no URL', ['--master', 'nowhere'], one(2, /^fairway: --master: "nowhere" is not a URL/)],
    [
      'an unknown mode',
      ['--proxy-mode', 'magic'],
      one(2, /^fairway: --proxy-mode must be one of auto, nftables, .*, is "magic"$/),
    ],
    [
      'several wrong flags at once',
      ['--cluster-cidr', '10.0.0.0/33', '--masquerade-all=maybe', '--healthz-bind-address', 'all'],
      one(
        2,
        /^fairway: --masquerade-all must be true or false, is "maybe"; --cluster-cidr "10.0.0.0\/33" is not a CIDR.*; --healthz-bind-address must be/,
      ),
    ],
    ['a name that the kernel does not take', ['--table-name', 'A B'], one(2, /^fairway: --table-name: "A B"/)],
    [
      'a configuration that is not there',
      ['--config', '/nonexistent'],
      one(1, /^fairway: --config: \/nonexistent can't be read/),
    ],
    [
      'a wrong configuration',
      ['--config', 'DIR/wrong.yaml'],
      one(2, /^fairway: .*wrong.yaml: conntrack.min must be a whole number, is "many"; .*wrong.yaml: mode must be one of/),
    ],
    [
      'fields that change nothing',
      ['--config', 'DIR/odd.yaml'],
      {
        code: 1,
        lines: [
          expect.stringMatching(/^warning: .*odd.yaml: colour is unknown and has no effect$/),
          expect.stringMatching(/^warning: .*odd.yaml: configSyncPeriod has no effect: /),
          expect.stringMatching(/^fairway: the kubeconfig .*none can't be read/),
        ],
      },
    ],
    ['an unknown flag', ['--magic'], { code: 2, lines: ["error: unknown option '--magic'", '(add --help for the options)'] }],
  ])('%s', async (_title, args, expected) => {
    const output = await runProxy(args.map((arg) => arg.replace('DIR', folder)))
    expect({ code: output.code, lines: output.stderr.trim().split('\n') }).toEqual(expected)
    expect(output.stdout).toBe('')
  })
})
