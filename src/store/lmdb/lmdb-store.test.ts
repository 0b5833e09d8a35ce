import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { silentLogger } from '../../base/index.ts'
import { storeConformance } from '../store.conformance.ts'
import type { StoreHarness } from '../testing/store-fixtures.ts'
import { watchConformance } from '../watch.conformance.ts'
import { openLmdbStore } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'fairway-store-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const harness: StoreHarness = {
  open: (options) => openLmdbStore({ path: mkdtempSync(join(folder, 'store-')), log: silentLogger, ...options }),
}
storeConformance('lmdb', harness)
watchConformance('lmdb', harness)
