/** Runs dependency-cruiser over the sources; fails on a breach, and when it saw no modules at all. */
import { cruise } from 'dependency-cruiser'
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-config'
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config'

const config = await extractOptions('./.dependency-cruiser.cjs')
const result = await cruise(['src'], { ...config.options, ruleSet: { forbidden: config.forbidden }, validate: true }, undefined, {
  tsConfig: extractTsConfig('tsconfig.json'),
})
if (typeof result.output === 'string') throw new Error('dependency-cruiser returned text, expected a result object')
const { violations, totalCruised } = result.output.summary
const modules = result.output.modules.filter((module) => module.source.startsWith('src/')).length
for (const violation of violations) {
  const comment = violation.comment ? ` (${violation.comment})` : ''
  console.error(`${violation.rule.name}: ${violation.from} → ${violation.to}${comment}`)
}
if (modules === 0) {
  console.error(`walls: dependency-cruiser saw 0 modules of ${totalCruised}; is the TypeScript version one that it reads?`)
  process.exit(1)
}
console.log(`walls: ${modules} modules, ${violations.length} breaches`)
process.exit(violations.length === 0 ? 0 : 1)
