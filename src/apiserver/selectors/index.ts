export { exactField, type FieldRequirement, fieldMatcher, parseFieldSelector } from './field-selector.ts'
export { type LabelRequirement, type LabelRequirements, matchesLabels, parseLabelSelector } from './label-selector.ts'
