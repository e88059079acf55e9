//! Every wrapper against a loop over single bytes, whole and in pieces.
use super::{close, nesting::Nesting, portable, string_stop};
use proptest::prelude::*;

/// The same search, one byte at a time. A backslash outside of strings (which is no JSON) can hide a quote, not a bracket.
fn close_by_bytes(open: u8, data: &[u8]) -> (Option<usize>, bool) {
    let (mut depth, mut curly, mut in_string, mut escaped) =
        (1i64, i64::from(open == b'{'), false, false);
    for (at, &byte) in data.iter().enumerate() {
        if std::mem::take(&mut escaped) && matches!(byte, b'"' | b'\\') {
            continue;
        }
        match byte {
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                curly += i64::from(byte == b'{');
            }
            b'}' | b']' => {
                depth -= 1;
                curly -= i64::from(byte == b'}');
                if depth == 0 {
                    return (Some(at + 1), curly == 0);
                }
            }
            _ => {}
        }
    }
    (None, curly == 0)
}

type Close = fn(&mut Nesting, &[u8]) -> Option<usize>;

fn wrappers() -> Vec<(&'static str, Close)> {
    let mut all: Vec<(&'static str, Close)> =
        vec![("dispatched", close), ("portable", portable::close)];
    #[cfg(target_arch = "x86_64")]
    all.push(("sse2", super::x86::close_sse2));
    all
}

/// Escapes outside of strings and quotes after backslashes are what the masks could get wrong.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => Just(b'\\'), 3 => Just(b'"'), 2 => Just(b'{'), 2 => Just(b'}'), 1 => Just(b'['), 1 => Just(b']'),
        4 => any::<u8>(), 2 => Just(b'a'),
    ];
    prop::collection::vec(byte, 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn all_wrappers_agree_on_any_split(data in bytes(), open in prop_oneof![Just(b'{'), Just(b'[')], cut in 1usize..130) {
        let (end, pairs) = close_by_bytes(open, &data);
        for (name, close) in wrappers() {
            let mut whole = Nesting::opened(open);
            prop_assert_eq!(close(&mut whole, &data), end, "{}", name);
            prop_assert_eq!(whole.pairs_up(), pairs, "{}", name);
            let mut pieces = Nesting::opened(open);
            let mut found = None;
            for (index, piece) in data.chunks(cut).enumerate() {
                found = close(&mut pieces, piece).map(|end| index * cut + end);
                if found.is_some() {
                    break;
                }
            }
            prop_assert_eq!(found, end, "{} in pieces", name);
        }
    }

    #[test]
    fn string_stops_agree(data in bytes(), from in 0usize..310) {
        let from = from.min(data.len());
        let expected = (from..data.len()).find(|&at| matches!(data[at], b'"' | b'\\')).unwrap_or(data.len());
        prop_assert_eq!(string_stop(&data, from), expected);
        prop_assert_eq!(portable::string_stop(&data, from), expected);
    }
}
