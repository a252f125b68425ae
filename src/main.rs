//! The command line meets the library here, and nothing else happens.

fn main() {
    if let Err(error) = hookwheel::serve(hookwheel::config::load(None).unwrap()) {
        eprintln!("{error}");
    }
}
