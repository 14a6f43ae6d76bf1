//! Who judges a history: linearizability by revision, watch guarantees, invariants.
