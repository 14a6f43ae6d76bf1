//! Pod and container lifecycle: start order, probes, restarts, back-off, stop, status.
