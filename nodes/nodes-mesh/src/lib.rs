//! The door, the streams of nodes and Raft over the mesh; joining.
