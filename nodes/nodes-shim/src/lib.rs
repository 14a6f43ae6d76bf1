//! One small process per pod: pause, reaper, stdio, CRI-format logs, exit codes, deadline.
