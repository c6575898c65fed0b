//! The `sluis` command: parse the command line, run, exit code.

fn main() -> std::process::ExitCode {
    sluis::cli::main()
}
