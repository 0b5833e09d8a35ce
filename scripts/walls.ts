import { fileURLToPath } from 'node:url'
import { cruise } from 'dependency-cruiser'
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-config'
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config'

export interface Walls {
  /** Modules under src/ that were seen: 0 means that the tool could not read this TypeScript. */
  readonly modules: number
  /** `rule: from → to`. */
  readonly breaches: readonly string[]
}

const root = fileURLToPath(new URL('..', import.meta.url))

/** Checks the walls of the house (`.dependency-cruiser.cjs`) in the tree at `baseDir`. */
export const checkWalls = async (baseDir: string = root): Promise<Walls> => {
  const config = await extractOptions(`${root}.dependency-cruiser.cjs`)
  const result = await cruise(
    ['src'],
    { ...config.options, baseDir, ruleSet: { forbidden: config.forbidden }, validate: true },
    undefined,
    { tsConfig: extractTsConfig(`${root}tsconfig.json`) },
  )
  if (typeof result.output === 'string') throw new Error('dependency-cruiser returned text, expected a result object')
  return {
    modules: result.output.modules.filter((module) => module.source.startsWith('src/')).length,
    breaches: result.output.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
  }
}
