//! Machines of one host and the forwarder before them, against the real kernel.

mod forwarder;
mod machines;
