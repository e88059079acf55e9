//! The content of JSON strings. Invariant: `unescape` gives what a JSON decoder gives, or an error where one fails.
use std::borrow::Cow;

/// A backslash escape that JSON does not know, or half of a surrogate pair, and its place in the string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidEscape {
    /// The byte of the backslash, counted from the first byte of the string's content.
    pub at: usize,
}

/// The text that the content of a JSON string (without its quotes) stands for; borrowed when it holds no backslash.
pub fn unescape(raw: &str) -> Result<Cow<'_, str>, InvalidEscape> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else {
        return Ok(Cow::Borrowed(raw));
    };
    let mut out = String::with_capacity(raw.len());
    out.push_str(&raw[..first]);
    let mut at = first;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let run = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        out.push_str(&rest[..run]);
        at += run;
        if run == rest.len() {
            break;
        }
        let (character, length) = escaped(raw.as_bytes(), at).ok_or(InvalidEscape { at })?;
        out.push(character);
        at += length;
    }
    Ok(Cow::Owned(out))
}

/// The character of the escape whose backslash is at `at`, and the length of the escape.
fn escaped(raw: &[u8], at: usize) -> Option<(char, usize)> {
    let simple = |character| Some((character, 2));
    match raw.get(at + 1)? {
        b'"' => simple('"'),
        b'\\' => simple('\\'),
        b'/' => simple('/'),
        b'b' => simple('\u{8}'),
        b'f' => simple('\u{c}'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'u' => {
            let unit = hex4(raw, at + 2)?;
            if !(0xD800..0xDC00).contains(&unit) {
                return char::from_u32(unit).map(|character| (character, 6));
            }
            if raw.get(at + 6..at + 8)? != b"\\u" {
                return None;
            }
            let low = hex4(raw, at + 8)?
                .checked_sub(0xDC00)
                .filter(|low| *low < 0x400)?;
            char::from_u32(0x1_0000 + ((unit - 0xD800) << 10) + low)
                .map(|character| (character, 12))
        }
        _ => None,
    }
}

fn hex4(raw: &[u8], at: usize) -> Option<u32> {
    let mut unit = 0;
    for &digit in raw.get(at..at + 4)? {
        unit = unit << 4 | char::from(digit).to_digit(16)?;
    }
    Some(unit)
}

/// The content of a JSON string that stands for `text`; borrowed when it is the text itself.
pub fn escape(text: &str) -> Cow<'_, str> {
    let special = |byte: u8| byte < b' ' || matches!(byte, b'"' | b'\\');
    if !text.bytes().any(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                // Only the last of the four digits can be a letter.
                out.push_str(if control < '\u{10}' {
                    "\\u000"
                } else {
                    "\\u001"
                });
                out.extend(char::from_digit(u32::from(control) % 16, 16));
            }
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_json_rejects_is_an_error_with_its_place() {
        for (raw, at) in [
            (r"ab\x", 2),
            (r"\u12", 0),
            (r"a\ud800b", 1),
            (r"\udc00", 0),
            (r"\ud800\uffff", 0),
            (r"\ud800\n", 0),
            ("\\", 0),
        ] {
            assert_eq!(unescape(raw), Err(InvalidEscape { at }), "{raw}");
            assert!(
                serde_json::from_str::<String>(&format!("\"{raw}\"")).is_err(),
                "{raw}"
            );
        }
    }

    #[test]
    fn surrogate_pairs_join() {
        assert_eq!(unescape(r"\ud83d\ude00\u00e9\/").unwrap(), "😀é/");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn as_serde_json(raw in r#"([a-zé😀]|\\["\\/bfnrtu]|\\u[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-f]{2}\\u[dD][c-fC-F][0-9a-f]{2}){0,12}"#) {
            let expected = serde_json::from_str::<String>(&format!("\"{raw}\"")).ok();
            prop_assert_eq!(unescape(&raw).ok().map(Cow::into_owned), expected);
        }

        #[test]
        fn escaping_round_trips(text in "([a-z]|[\"\\\\\u{0}-\u{1f}]|é|😀){0,12}") {
            let quoted = format!("\"{}\"", escape(&text));
            prop_assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
        }
    }
}
