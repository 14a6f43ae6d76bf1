//! Membership among simulated members: verdicts, their times, and their absence.

mod carriers;
mod cell;
mod partitions;
mod returns;
mod single;
mod times;
