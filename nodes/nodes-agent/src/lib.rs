//! The node actor, pod actors, container drivers, volumes, logs, exec.
