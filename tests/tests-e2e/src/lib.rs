//! The real binary, driven from outside.
