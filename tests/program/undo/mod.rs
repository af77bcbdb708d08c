//! Runs taken back: what a run changed is as it was before, what others changed since is left, and what stays is told.

#![expect(clippy::format_push_string, reason = "a few lines of a small file are put together")]

use crate::common;

mod company;
mod identity;
mod refused;
mod restored;
