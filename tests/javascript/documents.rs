//! Random JSON in which everything happens that JavaScript has an opinion on.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Numbers at the edges of what a double can hold, and in every way of writing them.
const NUMBERS: [&str; 36] = [
    "0",
    "-0",
    "0.0",
    "-0.0",
    "1.0",
    "-1.50",
    "1e0",
    "1E+2",
    "100e-2",
    "0.1",
    "1e-7",
    "0.000001",
    "0.0000001",
    "123456789012345",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9007199254740993.0",
    "90071992547409930e-1",
    "0.9007199254740993e16",
    "18446744073709551615",
    "12345678901234567890",
    "1e16",
    "1e20",
    "1e21",
    "1e22",
    "1e23",
    "123456789e15",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "-1e400",
    "5e-324",
    "1e-400",
    "0e99999",
    "4.35",
];

/// Keys that JavaScript puts elsewhere, takes for the same, or has a meaning for.
const KEYS: [&str; 20] = [
    "a",
    "b",
    "\\u0061",
    "0",
    "1",
    "10",
    "2",
    "01",
    "-1",
    "1.5",
    "4294967294",
    "4294967295",
    "99999999999",
    "__proto__",
    "constructor",
    "toString",
    "length",
    "",
    "\u{e9}",
    "\\u00e9",
];

/// What strings are made of.
const PIECES: [&str; 22] = [
    "text",
    " ",
    "\\u0000",
    "\\u001F",
    "\\u007f",
    "\u{7f}",
    "\\b\\f\\n\\r\\t",
    "\\/",
    "/",
    "\\\\",
    "\\\"",
    "\u{2028}",
    "\\u2028",
    "\u{2029}",
    "\u{feff}",
    "\u{e9}",
    "e\u{301}",
    "\u{1f600}",
    "\\ud83d\\uDE00",
    "\\uD800\\udc00",
    "\\u0041",
    "{[,:]}",
];

const SPACES: [&str; 6] = ["", "", "", " ", "\n\t", "\r\n  "];

/// Makes documents, the same for the same seed.
pub struct Documents(StdRng);

impl Documents {
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// The next document.
    pub fn next(&mut self) -> String {
        let mut out = String::new();
        self.value(&mut out, 4);
        out
    }

    fn value(&mut self, out: &mut String, depth: usize) {
        self.space(out);
        match self.0.random_range(0..if depth == 0 { 6 } else { 10 }) {
            0 => out.push_str(["true", "false", "null"].choose(&mut self.0).expect("some")),
            1..4 => self.number(out),
            4..6 => self.string(out),
            6 => self.list(out, ('[', ']'), |this, out| this.value(out, depth - 1)),
            _ => self.list(out, ('{', '}'), |this, out| {
                this.key(out);
                this.space(out);
                out.push(':');
                this.value(out, depth - 1);
            }),
        }
        self.space(out);
    }

    fn list(&mut self, out: &mut String, (open, close): (char, char), item: impl Fn(&mut Self, &mut String)) {
        out.push(open);
        let most = if self.0.random_ratio(1, 8) { 30 } else { 6 };
        for n in 0..self.0.random_range(0..most) {
            if n > 0 {
                out.push(',');
            }
            self.space(out);
            item(self, out);
        }
        self.space(out);
        out.push(close);
    }

    fn key(&mut self, out: &mut String) {
        match self.0.random_ratio(1, 5) {
            true => self.string(out),
            false => out.push_str(&format!("\"{}\"", KEYS.choose(&mut self.0).expect("some"))),
        }
    }

    fn string(&mut self, out: &mut String) {
        out.push('"');
        for _ in 0..self.0.random_range(0..5) {
            out.push_str(PIECES.choose(&mut self.0).expect("some"));
        }
        out.push('"');
    }

    fn number(&mut self, out: &mut String) {
        let dice = &mut self.0;
        match dice.random_range(0..6) {
            0 | 1 => out.push_str(NUMBERS.choose(dice).expect("some")),
            2 => out.push_str(&dice.random_range(-1000..1000).to_string()),
            3 => out.push_str(&((1_i64 << 53) + dice.random_range(-9..9)).to_string()),
            4 => {
                // Any double there is.
                let double = f64::from_bits(dice.random());
                out.push_str(&if double.is_finite() { format!("{double:e}") } else { "1".into() });
            }
            _ => self.any_number(out),
        }
    }

    /// Any digits with any exponent.
    fn any_number(&mut self, out: &mut String) {
        let dice = &mut self.0;
        let digits = |dice: &mut StdRng, n: usize| -> String {
            (0..n).map(|_| char::from(b'0' + dice.random_range(0..10_u8))).collect()
        };
        let length = dice.random_range(1..25);
        let whole = digits(dice, length);
        out.push_str(if dice.random() { "-" } else { "" });
        out.push_str(match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        });
        if dice.random() {
            let length = dice.random_range(1..20);
            out.push_str(&format!(".{}", digits(dice, length)));
        }
        if dice.random() {
            let sign = ["", "+", "-"].choose(dice).expect("some");
            out.push_str(&format!("e{sign}{}", dice.random_range(0..400)));
        }
    }

    fn space(&mut self, out: &mut String) {
        out.push_str(SPACES.choose(&mut self.0).expect("some"));
    }
}
