export { annotated, findingsFor, policyFor, settingsFor, valuesFor } from './annotated.ts'
