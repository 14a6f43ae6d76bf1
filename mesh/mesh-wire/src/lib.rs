//! Frames and messages between processes: lanes, heads, who may speak to which service.
