//! What a voter must know of itself before it starts, and the bounds it keeps.
//!
//! Way in: [`RaftConfig::new`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Names one voter or learner of a group. Never zero, and never used again once its disk is lost.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct NodeId(pub u64);

/// The identity and the bounds of one member of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaftConfig {
    /// This member.
    pub node: NodeId,
    /// The cluster's uid: a message or a log of another cluster is refused.
    pub cluster: [u8; 16],
    /// The group within the cluster, likewise.
    pub group: u16,
    /// Most applied entries that stay in memory for followers that lag; beyond it they get a
    /// snapshot.
    pub cache_entries_max: usize,
    /// Most bytes of applied entries that stay in memory.
    pub cache_bytes_max: usize,
    /// How many entries the log on disk keeps below what is flushed, for followers that lag.
    pub log_keep: u64,
    /// Most entries that may wait to be applied here before proposals are refused.
    pub unapplied_max: u64,
}

impl RaftConfig {
    /// What raft counts time in. One [`crate::RaftEvent::Tick`] counts for all that have passed.
    pub const TICK: Duration = Duration::from_millis(50);
    /// A leader sends a heartbeat every 200 ms. Each one wakes both ends and costs three datagrams,
    /// so more would cost an idle group its rest.
    pub const HEARTBEAT_TICKS: usize = 4;
    /// Whoever has heard its leader within 400 ms votes for nobody else, and a leader looks as often
    /// whether it hears from a majority: without one it steps down after twice that, at most. A
    /// multiple of [`Self::HEARTBEAT_TICKS`], so that each look sees the answers to two heartbeats.
    pub const LEASE_TICKS: usize = 8;
    /// A follower waits at least this long for its leader: 500 ms. More than the lease, so that the
    /// others, who may have heard a moment later, vote for the one that is first.
    pub const ELECTION_TICKS_MIN: usize = 10;
    /// A follower waits at most this long for its leader, and less than a tick longer: 800 ms. The
    /// voters' turns are between the two.
    pub const ELECTION_TICKS_MAX: usize = 15;
    /// Who was kept from running for longer than a tick did not see that the others were silent: it
    /// waits so many ticks longer, for the frames that came meanwhile.
    pub const LATE_TICKS: u32 = 2;
    /// A leader whose disk has ended no write for this long, although it should, steps down.
    pub const STALL_MAX: Duration = Duration::from_secs(2);
    /// A learner that joins is made a voter when it was up to date for this long on end. Less than
    /// the lease, for the count of who answered begins anew with each look at the majority.
    pub const PROMOTION_AFTER: Duration = Duration::from_millis(200);
    /// How much longer the cached log may grow while a follower is sent a snapshot, so that the log
    /// leads on from there.
    pub const CACHE_STRETCH: usize = 4;
    /// A round of reads that nobody answered is asked again after this long.
    pub const READ_RETRY: Duration = Duration::from_millis(300);
    /// A read that could not be confirmed within this time is refused.
    pub const READ_PATIENCE: Duration = Duration::from_secs(2);
    /// Most reads that may wait.
    pub const READS_MAX: usize = 65_536;
    /// Most append messages on their way to one follower.
    pub const INFLIGHT_MAX: usize = 256;
    /// Most bytes of entries in one append message.
    pub const MESSAGE_BYTES_MAX: u64 = 1 << 20;
    /// Most bytes of proposals that are not committed yet.
    pub const UNCOMMITTED_BYTES_MAX: u64 = 64 << 20;
    /// Most bytes of entries in one [`crate::RaftEffect::Apply`], unless a single entry is larger.
    pub const APPLY_BYTES_MAX: u64 = 4 << 20;

    /// A member with the usual bounds.
    #[must_use]
    pub fn new(node: NodeId, cluster: [u8; 16], group: u16) -> Self {
        Self {
            node,
            cluster,
            group,
            cache_entries_max: 16_384,
            cache_bytes_max: 64 << 20,
            log_keep: 1_024,
            unapplied_max: 65_536,
        }
    }
}
