/** The Kubernetes version whose API this server speaks; kubectl compares its own with it, and Google's dispatcher picks a kubectl by it. */
export const kubernetesVersion = { major: 1, minor: 35, patch: 0 }

/** The `/version` document; the build of Fairway is semver build metadata, so that every client parses it. */
export const versionInfo = (fairwayVersion: string): Readonly<Record<string, string>> => {
  const { major, minor, patch } = kubernetesVersion
  return {
    major: String(major),
    minor: String(minor),
    gitVersion: `v${major}.${minor}.${patch}+fairway-${fairwayVersion}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  }
}
