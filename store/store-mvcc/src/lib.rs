//! Revisions, transactions, leases, epochs, compaction: what a log entry does to the state.
