/** The exit code after SIGHUP, by which `main` ends as who was hung up: without a terminal Node's own exit aborts. */
export const HUNG_UP = 129
