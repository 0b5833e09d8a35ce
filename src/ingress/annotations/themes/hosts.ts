import { differs } from '../annotation.ts'
import { hostPatternName } from '../grammar/names.ts'
import { listOf } from '../grammar/reading.ts'
import { boolean } from '../grammar/scalars.ts'

export const hostAnnotations = {
  'server-alias': differs(
    listOf(hostPatternName),
    'DNS names only, no ~ patterns; for the first rule’s host; a host that any Ingress has a rule for is not taken over',
  ),
  'ssl-passthrough': differs(
    boolean,
    'to the pods behind the path /, not to the ClusterIP; by the one listener, without a proxy in front',
  ),
} as const
