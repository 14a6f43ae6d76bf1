//! The whole cluster on actors-sim.
