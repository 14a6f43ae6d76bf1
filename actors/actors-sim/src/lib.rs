//! Deterministic host: virtual time, simulated network and disks, trace hash.
