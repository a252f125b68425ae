//! The command line meets the library here, and nothing else happens.

fn main() -> std::process::ExitCode {
    hookwheel::cli::run(hookwheel::serve)
}
