//! Which machines a fault hits: one definition for every engine that carries faults out.
//!
//! Way in: [`Roster::hit_by`].  Invariant: a fault of a machine hits one, whatever number its plan
//! gives it, as long as there is one of that sort.

use crate::{FaultKind, Target};

/// A machine of an experiment, counted from 0 among its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Machine {
    /// One that votes and serves.
    Server(u8),
    /// One that runs pods.
    Agent(u8),
}

/// Who there is when a fault begins, and who is what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roster {
    /// How many servers there are.
    pub servers: u8,
    /// How many machines run pods.
    pub agents: u8,
    /// Which server leads; any if none does.
    pub leader: u8,
    /// Which machine runs the pod that must never run twice; any if none does.
    pub fenced: u8,
}

impl Roster {
    /// The machines that a fault hits, in the order in which it names them; none if it is one of
    /// the whole network.
    #[must_use]
    pub fn hit_by(&self, fault: FaultKind) -> Vec<Machine> {
        match fault {
            FaultKind::PowerCut => (0..self.servers).map(Machine::Server).collect(),
            FaultKind::Unlink { from, to, .. } => {
                [from, to].into_iter().filter_map(|target| self.find(target)).collect()
            }
            FaultKind::Crash(target)
            | FaultKind::CrashAfter { target, .. }
            | FaultKind::CrashAmid { target, .. }
            | FaultKind::Isolate(target)
            | FaultKind::Deaf(target)
            | FaultKind::Mute(target)
            | FaultKind::Pause(target)
            | FaultKind::LoseProcess(target)
            | FaultKind::Flap(target)
            | FaultKind::SlowDisk(target)
            | FaultKind::StallDisk(target)
            | FaultKind::FullDisk(target)
            | FaultKind::FailDisk(target)
            | FaultKind::ClockJump { target, .. }
            | FaultKind::ClockSkew { target, .. } => self.find(target).into_iter().collect(),
            FaultKind::Loss { .. }
            | FaultKind::Duplicate { .. }
            | FaultKind::Jumble { .. }
            | FaultKind::SlowNet { .. } => Vec::new(),
        }
    }

    /// The machine that a target is now. Numbers beyond the last one begin again at the first;
    /// nobody where there is none of its sort.
    fn find(&self, target: Target) -> Option<Machine> {
        let Self { servers, agents, leader, fenced } = *self;
        Some(match target {
            Target::Leader => Machine::Server(leader.checked_rem(servers)?),
            Target::Server(number) => Machine::Server(number.checked_rem(servers)?),
            Target::Follower(place) => {
                let leader = leader.checked_rem(servers)?;
                let place = place.checked_rem(servers - 1)?;
                Machine::Server(place + u8::from(place >= leader))
            }
            Target::Agent(number) => Machine::Agent(number.checked_rem(agents)?),
            Target::Fenced => Machine::Agent(fenced.checked_rem(agents)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Machine::{Agent, Server},
        *,
    };
    use crate::{Rhythm, Way};

    const ROSTER: Roster = Roster { servers: 3, agents: 2, leader: 1, fenced: 1 };

    fn check(roster: Roster, target: Target, expected: &[Machine]) {
        let faults = [
            FaultKind::Crash(target),
            FaultKind::CrashAfter { target, events: 7 },
            FaultKind::CrashAmid { target, events: 7 },
            FaultKind::Pause(target),
            FaultKind::LoseProcess(target),
            FaultKind::Flap(target),
            FaultKind::StallDisk(target),
            FaultKind::ClockSkew { target, ppm: 5 },
        ];
        for fault in faults {
            assert_eq!(roster.hit_by(fault), expected, "{fault:?} of {roster:?}");
        }
    }

    #[test]
    fn a_fault_hits_the_machine_that_its_target_is_then() {
        check(ROSTER, Target::Leader, &[Server(1)]);
        check(ROSTER, Target::Follower(0), &[Server(0)]);
        check(ROSTER, Target::Follower(1), &[Server(2)]);
        check(Roster { leader: 0, ..ROSTER }, Target::Follower(0), &[Server(1)]);
        check(Roster { leader: 2, ..ROSTER }, Target::Follower(1), &[Server(1)]);
        check(ROSTER, Target::Server(2), &[Server(2)]);
        check(ROSTER, Target::Agent(0), &[Agent(0)]);
        check(ROSTER, Target::Fenced, &[Agent(1)]);
    }

    #[test]
    fn a_number_too_great_begins_again_at_the_first() {
        check(ROSTER, Target::Follower(2), &[Server(0)]);
        check(ROSTER, Target::Server(4), &[Server(1)]);
        check(ROSTER, Target::Agent(3), &[Agent(1)]);
    }

    #[test]
    fn where_there_is_none_nobody_is_hit() {
        let alone = Roster { servers: 1, agents: 0, leader: 0, fenced: 0 };
        check(alone, Target::Leader, &[Server(0)]);
        check(alone, Target::Follower(0), &[]);
        check(alone, Target::Agent(0), &[]);
        check(alone, Target::Fenced, &[]);
    }

    #[test]
    fn a_power_cut_hits_all_servers_and_a_link_has_two_ends() {
        assert_eq!(ROSTER.hit_by(FaultKind::PowerCut), [Server(0), Server(1), Server(2)]);
        let (from, to) = (Target::Follower(1), Target::Leader);
        let unlink = FaultKind::Unlink { from, to, way: Way::One, rhythm: Some(Rhythm::USUAL) };
        assert_eq!(ROSTER.hit_by(unlink), [Server(2), Server(1)]);
        assert_eq!(ROSTER.hit_by(FaultKind::Loss { per_million: 1 }), []);
    }
}
