//! The QUIC endpoint of a process: identities, links, lanes, back-pressure.
