//! The Raft actor group: drivers, proposals, reads, watches, recovery.
