/** `npm run check:walls`: fails on a breach, and when dependency-cruiser saw no modules at all. */
import { checkWalls } from './walls.ts'

const { modules, breaches } = await checkWalls()
for (const breach of breaches) console.error(breach)
if (modules === 0) console.error('walls: dependency-cruiser saw no module; is the TypeScript version one that it reads?')
console.log(`walls: ${modules} modules, ${breaches.length} breaches`)
process.exitCode = modules > 0 && breaches.length === 0 ? 0 : 1
