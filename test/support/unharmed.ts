import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Instance } from './instance.ts'
import { createRawApi } from './raw-api.ts'

/** After something bad: the same process still answers, bystanders are there, and the log tells neither a crash nor a secret. */
export const expectUnharmed = async (instance: Instance, bystander: string): Promise<void> => {
  expect(instance.process.exitCode ?? instance.process.signalCode).toBeNull()
  const api = createRawApi(instance.status.kubeconfig)
  expect((await api.send('/readyz')).text).toBe('ok')
  expect((await api.send(bystander)).code).toBe(200)
  const log = readFileSync(join(instance.dataDir, 'fairway.log'), 'utf8')
  expect(log).not.toMatch(/PRIVATE KEY|hunter2|\n\s+at |TypeError|is not a function|Cannot read prop/)
}
