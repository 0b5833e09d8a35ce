export { createIptables } from './iptables.ts'
export { matches, type PacketView } from './matches.ts'
export type {
  Choice,
  Command,
  Flavour,
  Iptables,
  Owns,
  Place,
  ReadChain,
  ReadRule,
  TableChange,
  TableName,
  Transaction,
} from './objects.ts'
export { parseRule } from './parse-rule.ts'
export { PROBE_CHAIN } from './probe.ts'
export { renderInBatches, renderTransaction } from './render.ts'
export { chanceOf, type IPProtocol, probabilityOf, type Rule, type RuleTarget, renderRule } from './rule.ts'
