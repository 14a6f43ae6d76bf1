//! Membership carried by chitchat inside the mesh.
