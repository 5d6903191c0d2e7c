//! A local Lockbox on servers of its own: for development, the demonstration and the tests. Not in release builds.

pub mod demo;
pub mod dev;
