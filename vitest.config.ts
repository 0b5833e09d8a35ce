import { defineConfig } from 'vitest/config'

const project = (name: string, include: string[], testTimeout: number) => ({
  test: { name, include, testTimeout, hookTimeout: testTimeout, environment: 'node' as const },
})

export default defineConfig({
  test: {
    projects: [
      project('unit', ['src/**/*.test.ts', 'test/repo/**/*.test.ts'], 20_000),
      project('feature', ['test/feature/**/*.test.ts'], 60_000),
      project('kubectl', ['test/kubectl/**/*.test.ts'], 180_000),
      project('netns', ['test/netns/**/*.test.ts'], 120_000),
      project('vm', ['test/vm/**/*.test.ts'], 300_000),
    ],
    maxWorkers: 2,
  },
})
