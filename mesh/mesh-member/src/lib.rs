//! Who is alive: membership and verdicts as a machine, carried by gossip or by a seed.
