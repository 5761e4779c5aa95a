//! `vinzy`: the server and its tools.

use std::process::ExitCode;

/// Requests are many small allocations on several threads, which glibc's allocator makes dear.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    vinzy_engine::cli::run()
}
