//! Services: what a frame or a stream is for, and which role may speak to it.
//!
//! Way in: [`Service`], [`may_speak`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Role;

/// Names what a frame or a stream is for. A number, so that a build may carry frames for services
/// that it does not know, and refuse them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Service(pub u16);

impl Service {
    /// Gossip of the cell; control lane.
    pub const GOSSIP: Self = Self(1);
    /// Opinions about members; control lane.
    pub const MEMBER: Self = Self(2);
    /// Frames of Raft; raft lane; servers only.
    pub const RAFT: Self = Self(3);
    /// Proposals and barriers for the leader; servers only.
    pub const PROPOSE: Self = Self(4);
    /// Requests to the door.
    pub const DOOR: Self = Self(5);
    /// Watches; a stream each.
    pub const WATCH: Self = Self(6);
    /// Logs of a container; a stream each, which only servers open.
    pub const NODE_LOGS: Self = Self(7);
    /// A command in a container; a stream each, which only servers open.
    pub const NODE_EXEC: Self = Self(8);
    /// An image of the state, in pieces; a stream each; servers only.
    pub const SNAPSHOT: Self = Self(9);
    /// A new certificate for the same identity.
    pub const RENEW: Self = Self(10);
    /// Deadlines of fenced pods.
    pub const FENCE: Self = Self(11);
    /// Questions of operators, which servers pass on.
    pub const OPS: Self = Self(12);
    /// What a process remembers of traces; servers ask.
    pub const SPANS: Self = Self(13);
    /// The actors of a process, looked at and handled for operators; servers ask.
    pub const ACTORS: Self = Self(14);
    /// Certificates that are worth nothing any more; servers tell.
    pub const REVOKED: Self = Self(15);

    const NAMES: [(Self, &'static str); 15] = [
        (Self::GOSSIP, "gossip"),
        (Self::MEMBER, "member"),
        (Self::RAFT, "raft"),
        (Self::PROPOSE, "propose"),
        (Self::DOOR, "door"),
        (Self::WATCH, "watch"),
        (Self::NODE_LOGS, "node-logs"),
        (Self::NODE_EXEC, "node-exec"),
        (Self::SNAPSHOT, "snapshot"),
        (Self::RENEW, "renew"),
        (Self::FENCE, "fence"),
        (Self::OPS, "ops"),
        (Self::SPANS, "spans"),
        (Self::ACTORS, "actors"),
        (Self::REVOKED, "revoked"),
    ];
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(service, _)| service == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "service {}", self.0),
        }
    }
}

/// Whether a peer of this role may send to a service. The receiver asks this for every frame and
/// every stream; what is not said here is refused. Answers are not sent to a service: they go to
/// whoever asked.
#[must_use]
pub fn may_speak(role: Role, service: Service) -> bool {
    match (role, service) {
        (
            _,
            Service::GOSSIP
            | Service::MEMBER
            | Service::DOOR
            | Service::WATCH
            | Service::RENEW
            | Service::FENCE,
        ) => true,
        // An agent that could propose, vote or enter containers would be a server.
        (
            role,
            Service::RAFT
            | Service::PROPOSE
            | Service::SNAPSHOT
            | Service::NODE_LOGS
            | Service::NODE_EXEC
            | Service::OPS
            | Service::SPANS
            | Service::ACTORS
            | Service::REVOKED,
        ) => role == Role::Server,
        (_, Service(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn who_may_speak_to_what() {
        let mut table = String::new();
        for number in 0..=16 {
            let service = Service(number);
            let yes = |role| if may_speak(role, service) { "may" } else { "-" };
            let (server, agent) = (yes(Role::Server), yes(Role::Agent));
            table
                .push_str(&format!("{:10} server {server:3} agent {agent}\n", service.to_string()));
        }
        expect![[r"
            service 0  server -   agent -
            gossip     server may agent may
            member     server may agent may
            raft       server may agent -
            propose    server may agent -
            door       server may agent may
            watch      server may agent may
            node-logs  server may agent -
            node-exec  server may agent -
            snapshot   server may agent -
            renew      server may agent may
            fence      server may agent may
            ops        server may agent -
            spans      server may agent -
            actors     server may agent -
            revoked    server may agent -
            service 16 server -   agent -
        "]]
        .assert_eq(&table);
    }
}
