//! End to end: the real executable, one process per role, real servers of this run's own that are killed, stopped and
//! wiped while load runs.

mod demo;
mod faults;
mod harness;
mod load;
