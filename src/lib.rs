//! Homeward sends every change of a person's data home: to the system that owns the attribute. Rules say who owns what, a
//! plan shows what would be done and why, and apply does exactly that.
//!
//! The program is used from the command line. What is `pub` here is what a connector of one's own needs, and nothing else:
//! a provider that Homeward does not know is added by a program of a few lines, without touching this one.
//!
//! # Writing a connector
//!
//! `examples/connector.rs` is a whole one, to copy from; it uses `async-trait`, `schemars`, `serde` and `serde_json` beside
//! this library. In order:
//!
//! 1. A table, [`model::capability::Capabilities`]: the provider's attributes by the names that rules use, which can be
//!    written and cleared, which are unique, and by which an account can be found.
//! 2. A type for its settings, read from the keys under `[systems.…]` that are not common to all providers.
//! 3. [`connector::Connector`] for it. [`observe`](connector::Connector::observe) reads accounts through a
//!    [`wire::Reader`], which can do nothing but look. [`foresee`](connector::Connector::foresee) and
//!    [`calls`](connector::Connector::calls) are pure: they say what the provider would do with a change, and what would be
//!    sent. [`perform`](connector::Connector::perform) sends one call through a [`wire::Writer`], which writes it into the
//!    journal first, and tells what the account is afterwards. [`standing`](connector::Connector::standing) says who we are
//!    there; [`normalize`](connector::Connector::normalize) and [`dialect`](connector::Connector::dialect) may stay as they
//!    are. A 401, a 429 with `Retry-After` and faults in passing need nothing: whoever hands out the reader and the writer
//!    sees to them.
//! 4. A [`connector::Kind`] with the word for `kind =`, the table, a function that opens the connector, and the schema of
//!    its settings.
//! 5. A [`lab::Simulator`], so that rules can be tried and tested without the real server: the provider's interface as an
//!    [`lab::axum`] router with a memory, written from the provider's documentation and not from the connector.
//!    What `lab/<system>.json` holds is the simulator's own affair. Limits and faults it need not play: the lab puts them
//!    before every simulator (`POST /_lab/chaos`).
//! 6. A `main` that hands both to [`run_with`]. With `--lab`, `plan`, `apply`, a second `plan` (which must find nothing),
//!    `undo`, and `apply --chaos 1` followed by `resume` show soon whether all of it holds together.
//!
//! Planning, limits, the journal, `check`, `docs` and `schema` then treat it as one of the shipped providers.

use std::{ffi::OsString, process::ExitCode, thread};

// The rooms of the house, in the order of the map: those a connector uses, then the others.
pub mod connector;
pub mod lab;
pub mod model;
pub mod wire;

mod cli;
mod config;
mod plan;
mod rules;
mod run;
mod source;
mod state;

/// What benches measure of the inside of a plan. No part of the program's face.
#[doc(hidden)]
pub mod measure {
    pub use crate::run::measure::{map, read, rule};
}

/// The whole program: reads the arguments, does what they ask, and gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_with(arguments, &[], &[])
}

/// The whole program with kinds of providers of one's own beside the shipped ones, and their simulators for the lab.
pub fn run_with(
    arguments: impl IntoIterator<Item = OsString>,
    kinds: &[connector::Kind],
    simulations: &[lab::Simulation],
) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let program = || cli::run(arguments.clone(), kinds, simulations);
    thread::scope(|scope| match thread::Builder::new().stack_size(STACK).spawn_scoped(scope, program) {
        Ok(running) => running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(_) => program(),
    })
}

/// How much stack the program has, in bytes, whoever starts it on whatever thread: rules may call and nest as deep as
/// their limits allow, which takes several MiB where the compiler does not optimise.
pub(crate) const STACK: usize = 16 * 1024 * 1024;
