import { resolve } from 'node:path'
import tab from '@bomb.sh/tab/commander'
import { Command, InvalidArgumentError } from 'commander'
import { scheme } from '../api/index.ts'
import { VERSION } from '../base/index.ts'
import { bashCompletion } from './bash-completion.ts'
import { withCloudFlags } from './cloud/flags.ts'
import { withIngressFlags } from './ingress/flags.ts'
import { withLoadBalancerFlags } from './loadbalancer/flags.ts'
import { withProxyFlags } from './proxy/flags.ts'

/** The whole command line; each command's code is loaded when it runs. */
export const buildProgram = async (): Promise<Command> => {
  const program = new Command('fairway')
    .description('Kubernetes Services and Ingress on one machine, without a cluster')
    .version(VERSION, '-V, --version')
    .showHelpAfterError('(add --help for the options)')
    .exitOverride()
  addRunning(program)
  addObjects(program)
  addInsight(program)
  addCompletion(program)
  return program
}

const addRunning = (program: Command): void => {
  const up = program.command('up').description('start everything in the foreground; Ctrl-C stops it and leaves nothing behind')
  withClusterOptions(up).action(async (options) => (await import('./commands/up.ts')).up(options))
  const start = program.command('start').description('up with examples/shop deployed, and a table of what to try (npm start)')
  withClusterOptions(start).action(async (options) => (await import('./commands/start.ts')).start(options))
  const proxy = program
    .command('proxy')
    .description(
      'only the Service proxy of this node, for any cluster, under the flags of kube-proxy; stopped, it leaves its rules in place',
    )
  const ingress = program
    .command('ingress')
    .description(
      'only the Ingress controller and its engine, for any cluster; reads the Secrets that Ingresses refer to, and no others',
    )
  withIngressFlags(ingress).action(async (options) => (await import('./commands/ingress.ts')).ingress(options))
  ingress
    .command('audit')
    .description(
      'what of the manifests or the cluster of an ingress-nginx is honoured, differs or is refused; exits with 1 when something is refused',
    )
    .option('-f, --filename <path...>', 'files or folders; - is standard input; without it, what --kubeconfig reaches')
    .option('--kubeconfig <file>', 'how to reach the API server')
    .option('-o, --output <format>', 'table or json', choice('table', 'json'), 'table')
    // The command above has --kubeconfig too, and takes it wherever it stands.
    .action(async (_, command) => (await import('./commands/ingress-audit.ts')).ingressAudit(command.optsWithGlobals()))
  const loadbalancer = program
    .command('loadbalancer')
    .description('only the service controller, which gives LoadBalancer Services of any cluster their load balancers')
  withLoadBalancerFlags(loadbalancer).action(async (options) =>
    (await import('./commands/loadbalancer.ts')).loadbalancer(options),
  )
  const cloud = program
    .command('cloud')
    .description('a Tencent CLB cloud on this machine: its API, a page, and load balancers that forward')
  withCloudFlags(cloud).action(async (options) => (await import('./commands/cloud.ts')).cloud(options))
  withProxyFlags(proxy).action(async (options) => (await import('./commands/proxy.ts')).proxy(options))
  program
    .command('status')
    .description('what runs, and at which addresses')
    .option('--data-dir <dir>', 'the instance, by its data folder')
    .option('--wait <duration>', 'wait until it is ready, such as 60s')
    .option('-o, --output <format>', 'text or json', choice('text', 'json'), 'text')
    .action(async (options) => (await import('./commands/status.ts')).status(options))
  program
    .command('cleanup')
    .description('remove what a killed instance left on this machine: processes, namespaces, links, routes')
    .option('--data-dir <dir>', 'the instance, by its data folder')
    .action(async (options) => (await import('./commands/cleanup.ts')).cleanup(options))
}

const withClusterOptions = (command: Command): Command =>
  command
    .option('--data-dir <dir>', 'everything that is kept; default: the state folder of the system (root) or of the user')
    .option('--proxy-mode <mode>', 'auto, nftables, iptables, ipvs, ebpf or userspace (default: auto)')
    .option('--service-cidr <cidr>', 'the range of ClusterIPs')
    .option('--pod-cidr <cidr>', 'the range of pod addresses')
    .option('--load-balancer-cidr <cidr>', 'the range of addresses for Services of type LoadBalancer')
    .option('--cluster-domain <domain>', 'the DNS domain of the cluster (default: cluster.local)')
    .option('--ingress-http <port>', 'the port of the Ingress for http; 0 picks a free one (default: 80)', port)
    .option('--ingress-https <port>', 'the port of the Ingress for https; 0 picks a free one (default: 443)', port)
    .option('--ingress-address <address>', 'where the Ingress listens (default: 127.0.0.1, this machine only)')
    .option('--ingress-workers <count>', 'processes that serve the Ingress (default: 1)', count)
    .option('--acme-server <url>', 'the directory of the ACME server that certificates are asked of (default: nobody is asked)')
    .option('--acme-agree-tos', 'its terms of service are agreed to; it is not used before')
    .option('--acme-email <address>', 'where it writes to when a certificate is about to expire')
    .option('--acme-ca <file>', 'the authorities (PEM) that its own certificate is checked against (default: the system’s)')
    .option('--api-port <port>', 'the port of the API server; 0 picks a free one (default: 6443)', port)
    .option('--node-name <name>', 'the name of the Node (default: fairway)')
    .option('--images <file>', 'a catalogue of image names and the commands that they stand for')
    .option(
      '--log-level <level>',
      'debug, info, warn or error; the log is DIR/fairway.log',
      choice('debug', 'info', 'warn', 'error'),
    )
    .option('-f, --manifests <path...>', 'files or folders to apply at the start')

const addObjects = (program: Command): void => {
  withConnection(program.command('apply'))
    .description('create or change the objects of manifests')
    .requiredOption('-f, --filename <path...>', 'files or folders; - is standard input')
    .action(async (options) => (await import('./commands/apply.ts')).apply(options))
  withConnection(program.command('get'))
    .description('list objects, or show one')
    .argument('<resource>', 'such as svc, ingress, pods, svc,ep or all')
    .argument('[name...]')
    .option('-A, --all-namespaces', 'of every namespace')
    .option('-l, --selector <labels>', 'only objects with these labels')
    .option('-o, --output <format>', 'wide, yaml, json or name', choice('table', 'wide', 'yaml', 'json', 'name'), 'table')
    .action(async (resource, names, options) => (await import('./commands/get.ts')).get(resource, names, options))
  withConnection(program.command('delete'))
    .description('delete objects by name, or those of manifests')
    .argument('[resource]')
    .argument('[name...]')
    .option('-f, --filename <path...>', 'files or folders; - is standard input')
    .option('--all', 'all objects of the resource in the namespace')
    .option('--no-wait', 'do not wait until they are gone')
    .action(async (resource, names, options) => (await import('./commands/delete.ts')).remove(resource, names, options))
  withConnection(program.command('logs'))
    .description('what a container printed')
    .argument('<pod>')
    .option('-c, --container <name>')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('--tail <lines>', 'only the last lines', count)
    .option('--timestamps', 'with the time of each line')
    .option('-p, --previous', 'of the instance before the last restart')
    .action(async (pod, options) => (await import('./commands/logs.ts')).logs(pod, options))
}

const addInsight = (program: Command): void => {
  program
    .command('explain')
    .description('where a connection goes, and why')
    .argument('<target>', 'a URL of the Ingress, or address:port of a Service')
    .option('--data-dir <dir>', 'the instance, by its data folder')
    .option('--proxy <url>', 'ask a "fairway proxy" at its --metrics-bind-address, such as http://127.0.0.1:10249')
    .option('--from <source>', 'who connects: pod, node or outside', choice('pod', 'node', 'outside'), 'node')
    .option('--protocol <protocol>', 'TCP, UDP or SCTP', choice('TCP', 'UDP', 'SCTP'), 'TCP')
    .option('-H, --header <line...>', 'a field of the request to the Ingress, such as "X-Canary: always"')
    .option('-o, --output <format>', 'text or json', choice('text', 'json'), 'text')
    .action(async (target, options) => (await import('./commands/explain.ts')).explain(target, options))
}

const withConnection = (command: Command): Command =>
  command
    .option('--kubeconfig <file>', 'how to reach the API server; default: $KUBECONFIG, then DIR/kubeconfig')
    .option('--data-dir <dir>', 'the instance, by its data folder')
    .option('-n, --namespace <namespace>', 'default: default')

const addCompletion = (program: Command): void => {
  const completion = tab(program, { completionCommandName: 'completion' })
  program.commands
    .find((command) => command.name() === 'completion')
    ?.description('print a script for the shell: source <(npx fairway completion bash)')
    // The library's script for bash evaluates what was typed, needs the package bash-completion, and finds no program outside of the PATH.
    .action((shell: 'bash' | 'zsh' | 'fish' | 'powershell') => {
      if (shell === 'bash') console.log(bashCompletion(process.execPath, resolve(process.argv[1] ?? 'fairway')))
      else completion.setup('fairway', 'fairway', shell)
    })
  const resources = completion.commands.get('get')?.arguments.get('resource')
  if (resources) {
    resources.handler = (complete) => {
      for (const kind of scheme) complete(kind.plural, kind.kind)
    }
  }
}

const port = (text: string): number => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('a port is a number from 0 to 65535.')
  return value
}

const count = (text: string): number => {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return Number(text)
}

const choice =
  (...allowed: readonly string[]) =>
  (text: string): string => {
    if (!allowed.includes(text)) throw new InvalidArgumentError(`allowed: ${allowed.join(', ')}.`)
    return text
  }
