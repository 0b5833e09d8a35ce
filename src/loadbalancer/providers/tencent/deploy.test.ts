import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { readConfig } from './config.ts'

const file = new URL('../../../../deploy/fairway-loadbalancer-tencent.yaml', import.meta.url)
const env = { TENCENTCLOUD_SECRET_ID: 'id', TENCENTCLOUD_SECRET_KEY: 'key' }

it('deploy/fairway-loadbalancer-tencent.yaml holds a configuration that is read without a problem', () => {
  const documents = parseAllDocuments(readFileSync(file, 'utf8')).map(
    (each) => each.toJS() as { readonly kind: string; readonly data?: Record<string, string> },
  )
  const config: unknown = parse(documents.find(({ kind }) => kind === 'ConfigMap')?.data?.['config.yaml'] ?? '')
  expect(readConfig(config, env)).toMatchObject({ kind: 'config', warnings: [] })
})
