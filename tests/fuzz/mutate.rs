//! Makes new inputs of old ones: some small changes each, as random as the dice.

use hookwheel::clock::Dice;

/// Bytes that readers treat in a way of their own.
const TELLING: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"=",
    b".",
    b"\n",
    b"\r\n",
    b" ",
    b"\0",
    b"\xff",
    b"\xfe",
    b"\xfb",
    b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xfd\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\\ud800",
    b"\\u0000",
    b"-0",
    b"1e999",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"null",
    b"true",
    b"\xf0\x9f\x8e\x89",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":",
    b"{{",
    b"}}",
    b"'''",
    b"\"\"\"",
    b"#",
    b"%",
    b"+",
    b"-",
    b"_",
    b"/",
    b"t=",
    b"v1,",
    b"sha256=",
    b"9999-12-31T23:59:59Z",
    b"Sun, 06 Nov 1994 08:49:37 GMT",
];

/// A new input, made of one or two of `seeds`.
pub fn mutate(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = seeds[below(seeds.len(), dice)].clone();
    for _ in 0..=below(6, dice) {
        change(&mut input, seeds, dice);
    }
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], dice: &mut Dice) {
    let at = below(input.len() + 1, dice);
    let some = below(input.len() - at + 1, dice).min(1 + below(64, dice));
    match below(9, dice) {
        // Nothing there to change: begin with something.
        _ if input.is_empty() => input.extend_from_slice(TELLING[below(TELLING.len(), dice)]),
        0 => drop(input.drain(at..at + some)),
        1 => drop(input.splice(at..at, TELLING[below(TELLING.len(), dice)].iter().copied())),
        2 => drop(input.splice(at..at + some, TELLING[below(TELLING.len(), dice)].iter().copied())),
        3 => {
            let copied = input[at..at + some].to_vec();
            let to = below(input.len() + 1, dice);
            drop(input.splice(to..to, copied));
        }
        4 => {
            let bit = dice.bits();
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << (bit % 8);
            }
        }
        5 => {
            let value = dice.bits() as u8;
            if let Some(byte) = input.get_mut(at) {
                *byte = value;
            }
        }
        6 => input.truncate(at),
        7 => {
            let other = &seeds[below(seeds.len(), dice)];
            let from = below(other.len() + 1, dice);
            drop(input.splice(at.., other[from..].iter().copied()));
        }
        _ => {
            let repeated = input[at..at + some].repeat(1 + below(20, dice));
            drop(input.splice(at..at, repeated));
        }
    }
}

fn below(bound: usize, dice: &mut Dice) -> usize {
    (dice.bits() % bound as u64) as usize
}
