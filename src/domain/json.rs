//! What Hookwheel asks of the JSON that passes through it, beyond its being JSON: bounded nesting, and strings that
//! are Unicode. One pass over the bytes, no allocation; the bytes themselves are never changed.

/// Arrays and objects inside each other.
pub const DEPTH_MAX: usize = 100;

/// Why JSON was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonRefusal {
    /// Deeper than [`DEPTH_MAX`].
    #[error("is nested deeper than 100 levels")]
    TooDeep,
    /// A `\ud800`-like escape without its partner: no Unicode text, and receivers would disagree on it.
    #[error("holds half of a surrogate pair (such as \\ud83d alone); send the whole character")]
    LoneSurrogate,
}

/// Checks `json`, which must already be known to be valid JSON.
pub fn check(json: &[u8]) -> Result<(), JsonRefusal> {
    let (mut depth, mut i) = (0usize, 0usize);
    while let Some(byte) = json.get(i) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(JsonRefusal::TooDeep);
                }
            }
            b'}' | b']' => depth -= 1,
            b'"' => i = end_of_string(json, i + 1)?,
            _ => {}
        }
        i += 1;
    }
    Ok(())
}

/// The index of the quote that ends the string which starts at `i`.
fn end_of_string(json: &[u8], mut i: usize) -> Result<usize, JsonRefusal> {
    loop {
        i += memchr::memchr2(b'"', b'\\', &json[i..]).expect("a valid JSON string ends");
        if json[i] == b'"' {
            return Ok(i);
        }
        if json[i + 1] != b'u' {
            i += 2;
            continue;
        }
        match escaped_unit(json, i) {
            Some(0xd800..=0xdbff) => match escaped_unit(json, i + 6) {
                Some(0xdc00..=0xdfff) => i += 12,
                _ => return Err(JsonRefusal::LoneSurrogate),
            },
            Some(0xdc00..=0xdfff) => return Err(JsonRefusal::LoneSurrogate),
            _ => i += 6,
        }
    }
}

/// The UTF-16 unit that the escape at `i` names, if there is one.
fn escaped_unit(json: &[u8], i: usize) -> Option<u16> {
    let digits = json.get(i..i + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_and_surrogates_are_checked() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(check(deep(DEPTH_MAX).as_bytes()), Ok(()));
        assert_eq!(check(deep(DEPTH_MAX + 1).as_bytes()), Err(JsonRefusal::TooDeep));
        let wide = format!("[{}[]]", "[],".repeat(DEPTH_MAX * 2));
        assert_eq!(check(wide.as_bytes()), Ok(()), "side by side they are not deep");
        assert_eq!(check(br#"{"a":"[[[[\"]]","b":"\\"}"#), Ok(()));
        assert_eq!(check(br#""\ud83d\ude00 \u0041 \\ud800""#), Ok(()));
        for lone in [r#""\ud83d""#, r#""\ud83dx\ude00""#, r#""\ude00""#, r#""\ud83d\ud83d""#] {
            assert_eq!(check(lone.as_bytes()), Err(JsonRefusal::LoneSurrogate), "{lone}");
        }
    }
}
