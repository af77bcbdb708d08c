//! The terminal: reads arguments, prints, and gives exit codes. Nobody else does either.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

use crate::connector::Kind;

mod arguments;
mod lab;

/// The program's exit codes. They are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// A fault of ours.
    Fault = 1,
    /// Wrong usage, configuration or rules.
    Usage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The whole program in order.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>, _kinds: &[Kind]) -> ExitCode {
    let arguments = match arguments::Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, not faults; clap knows which stream each belongs to.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return Exit::Fault.into();
        }
    };
    let done = match &arguments.command {
        arguments::Command::Lab(wanted) => runtime.block_on(lab::serve(&arguments.global, wanted)),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Usage.into()
        }
    }
}
