//! What is resident: the index of each kind, the event ring, snapshots at a revision.
