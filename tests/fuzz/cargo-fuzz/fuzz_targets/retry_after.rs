//! The target `retry_after` under libFuzzer.
#![no_main]

#[allow(dead_code, reason = "each program runs one target")]
#[path = "../../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| targets::retry_after(input));
