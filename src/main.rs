//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    homeward::run(std::env::args_os())
}
