import { isChosen, type PortForwarding, type Route, type Target } from '../../model/index.ts'

/**
 * The endpoints at which flows of a route may stay, by {@link endpointKey}: those that new flows may take, and of the others those that still serve.
 *
 * Which of several serving endpoints a flow takes (readiest, nearest by topology hints) is chosen once, when it begins, as for TCP: an endpoint
 * that drains while it terminates keeps its flows until it serves no more (kube-proxy's rule, pkg/proxy/conntrack/cleanup.go: "reply source is no
 * serving endpoint"). Policy Local is no choice but a rule: flows to other nodes go, where kube-proxy leaves them.
 */
export const keptEndpoints = (port: PortForwarding, set: Route['set']): ReadonlySet<string> =>
  new Set(
    port.endpoints
      .filter(({ conditions, [set]: judgement }) => isChosen(judgement) || (conditions.serving && judgement !== 'OnOtherNode'))
      .map(endpointKey),
  )

/** Names an endpoint in one word. */
export const endpointKey = ({ address, port }: Target): string => `${address} ${port}`
