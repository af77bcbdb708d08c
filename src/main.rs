//! Arguments in, exit code out.

use std::process::ExitCode;

/// People are many small pieces of memory, made on one thread and let go of on another. With what the system brings along a
/// plan takes a fifth longer.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    homeward::run(std::env::args_os())
}
