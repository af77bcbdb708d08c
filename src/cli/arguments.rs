//! What can be typed. Parsing validates the text; nothing is opened here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Sends every change of a person's data home, to the system that owns it.
#[derive(Debug, Parser)]
#[command(name = "homeward", version, propagate_version = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct Global {
    /// Work in this folder.
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(super) directory: Option<PathBuf>,
    /// Read this configuration.
    #[arg(short = 'c', value_name = "FILE", default_value = "homeward.toml", global = true)]
    pub(super) config: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the simulators until stopped.
    Lab(Lab),
}

#[derive(Debug, Args)]
pub(super) struct Lab {
    /// Invent this many people in every simulator.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) people: u64,
}
