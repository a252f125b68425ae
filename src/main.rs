//! The command line meets the library here, and the allocator is chosen: the store allocates a leaf for each change of
//! it, and with the system's allocator that gets dearer the longer the server runs.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    hookwheel::cli::run(hookwheel::serve, hookwheel::api::document)
}
