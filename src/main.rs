//! The `sluis` command: parse the command line, run, exit code.

/// Exchanges allocate much and briefly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    sluis::cli::main()
}
