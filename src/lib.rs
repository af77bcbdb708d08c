//! Homeward: an owner states; everybody else may only ask.
//!
//! The rooms of the house, in the order a datum passes through them. What is `pub` here is what a connector of one's own
//! needs (see `examples/connector.rs`), and nothing else.

use std::{ffi::OsString, process::ExitCode};

pub mod connector;
pub mod model;
pub mod wire;

mod cli;
mod config;
mod lab;
mod plan;
mod rules;
mod run;
mod source;
mod state;

/// The whole program: reads the arguments, does what they ask, and gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_with(arguments, &[])
}

/// The whole program with kinds of providers of one's own beside the shipped ones.
pub fn run_with(arguments: impl IntoIterator<Item = OsString>, kinds: &[connector::Kind]) -> ExitCode {
    cli::run(arguments, kinds)
}
