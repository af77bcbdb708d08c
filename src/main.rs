//! Arguments in, exit code out.

use std::process::ExitCode;

/// People are many small pieces of memory, made on one thread and let go of on another, which what the system brings along is
/// slow at.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    homeward::run(std::env::args_os())
}
