import { type Command, Option } from 'commander'

/** An option of `fairway ingress`, under ingress-nginx's name where ingress-nginx has it. */
export interface IngressFlag {
  /** As commander takes it. */
  readonly flags: string
  readonly help: string
  /** ingress-nginx's other name for it, or one that has no effect here: taken, and left out of the help. */
  readonly isHidden?: boolean
}

const flag = (flags: string, help: string): IngressFlag => ({ flags, help })
const hidden = (flags: string): IngressFlag => ({ flags, help: '', isHidden: true })

export const INGRESS_FLAGS: readonly IngressFlag[] = [
  flag('--kubeconfig <file>', 'how to reach the API server; in a pod its service account is the default'),
  flag('--ingress-class <names>', 'of the classes of this controller only these; and values of the old annotation that are ours'),
  flag('--controller-name <name>', 'what spec.controller of our IngressClasses says (default: fairway.dev/ingress)'),
  flag('--watch-namespace <namespace>', 'only Ingresses, Services and endpoints of this namespace'),
  flag('--publish-service <ns/name>', 'copy this Service’s addresses into the status of Ingresses'),
  flag('--publish-status-address <addresses>', 'put these addresses or names into the status of Ingresses'),
  flag('--update-status-on-shutdown [bool]', 'take addresses out when the last replica stops (default: true)'),
  flag('--election-id <name>', 'the Lease by which one of the replicas leads (default: fairway-ingress-leader)'),
  flag('--election-namespace <namespace>', 'where it lies (default: $POD_NAMESPACE, then that of the kubeconfig)'),
  flag('--http <address>', 'where http is served; empty for nowhere (default: 0.0.0.0:80)'),
  flag('--https <address>', 'where https is served; empty for nowhere (default: 0.0.0.0:443)'),
  flag('--https-redirect-port <port>', 'the port that clients use for https (default: 443)'),
  flag('--workers <count>', 'processes that serve (default: one for each two processors)'),
  flag('--trusted-proxies <cidrs>', 'whose X-Forwarded-* fields and PROXY headers are believed (default: nobody’s)'),
  flag('--proxy-protocol [bool]', 'every connection begins with a PROXY header (v1 or v2) of a trusted proxy'),
  flag(
    '--allowed-targets <cidrs>',
    'addresses that auth-url and mirror-target may have although they are loopback, link-local or ours',
  ),
  flag('--denied-targets <cidrs>', 'addresses that they may not have besides (ours and the API server’s never)'),
  flag('--access-log <file>', 'write a line of JSON for each request; "-" for the standard output (default: none)'),
  flag('--access-log-sample <share>', 'of requests that are written, 0 to 1; answers of 500 and above always are (default: 1)'),
  flag('--access-log-query [bool]', 'write queries too, which may hold secrets'),
  flag('--otlp-endpoint <url>', 'send spans there, such as http://collector:4318/v1/traces (default: nowhere)'),
  flag('--trace-sample <share>', 'of requests without a trace that begin one, 0 to 1 (default: 0.01 with --otlp-endpoint)'),
  flag('--default-ssl-certificate <ns/name>', 'a Secret with the certificate of hosts that have none'),
  flag('--configmap <ns/name>', 'settings for all Ingresses, below those of their class'),
  flag('--tcp-services-configmap <ns/name>', 'TCP ports: "9000": namespace/service:port[:PROXY][:PROXY]'),
  flag('--udp-services-configmap <ns/name>', 'UDP ports: "5353": namespace/service:port'),
  flag('--acme-server <url>', 'the directory of the ACME server that certificates are asked of (default: nobody is asked)'),
  flag('--acme-agree-tos [bool]', 'its terms of service are agreed to; it is not used before'),
  flag('--acme-email <address>', 'where it writes to when a certificate is about to expire'),
  flag('--acme-ca <file>', 'the authorities (PEM) that its own certificate is checked against (default: the system’s)'),
  flag('--acme-namespace <namespace>', 'where account, orders and challenges lie, as Secrets (default: that of the Lease)'),
  flag('--health <address>', 'where /healthz and /readyz are served; empty for nowhere (default: 0.0.0.0:10254)'),
  flag('--metrics <address>', 'where /metrics and /explain are served; empty for nowhere (default: 127.0.0.1:10253)'),
  flag('--shutdown-delay <duration>', 'between SIGTERM, when /readyz turns false, and the end of accepting (default: 0s)'),
  flag('--drain-timeout <duration>', 'how long requests may take after that (default: 30s)'),
  flag('--log-level <level>', 'debug, info, warn or error (default: info)'),
  hidden('--controller-class <name>'),
]

/** Adds all of them to a command. */
export const withIngressFlags = (command: Command): Command => {
  for (const { flags, help, isHidden = false } of INGRESS_FLAGS) {
    const option = new Option(flags, help).hideHelp(isHidden)
    command.addOption(flags.endsWith('[bool]') ? option.preset('true') : option)
  }
  return command
}
