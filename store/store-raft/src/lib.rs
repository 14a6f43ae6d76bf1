//! The Raft group as a machine over tikv raft.
