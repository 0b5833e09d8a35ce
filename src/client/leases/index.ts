export {
  createLeaderElection,
  type LeaderElection,
  type LeaderElectionOptions,
  type Leadership,
  type LeaderTiming,
  soleLeader,
} from './leader-election.ts'
