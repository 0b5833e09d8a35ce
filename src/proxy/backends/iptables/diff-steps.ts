import { type Command, type ReadChain, type Rule, renderRule, type TableName } from '../../../kernel/iptables/index.ts'
import type { Drift } from '../../backend.ts'

/** Ends one holding of a chain or rule; what nobody holds goes. To be called once. */
export type Release = () => void

/** A change, and what it says of the kernel when nothing new was wanted. */
export interface Step {
  readonly table: TableName
  readonly command: Command
  readonly drift: Drift['kind']
  /** Key of a Forwarding. */
  readonly owner?: string | undefined
}

/** A rule as it is written, and what tells whether it is there: comments say nothing of what it does. */
export interface RuleText {
  readonly text: string
  readonly key: string
}

export const textOf = (rule: Rule): RuleText => {
  const text = renderRule(rule)
  return { text, key: rule.comment === undefined ? text : renderRule({ ...rule, comment: undefined }) }
}

/** Of a rule that was read; one that we never write is equal to none. */
export const readKey = ({ text, rule }: ReadChain['rules'][number]): string =>
  rule === undefined ? `? ${text}` : renderRule({ ...rule, comment: undefined })
