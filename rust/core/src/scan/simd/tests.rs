//! Every wrapper against a loop over single bytes, whole and in pieces.
use super::{close, portable, string_stop, Nesting};
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

fn stop_by_bytes(data: &[u8], from: usize) -> usize {
    (from..data.len())
        .find(|&at| matches!(data[at], b'"' | b'\\'))
        .unwrap_or(data.len())
}

struct Wrapper {
    name: &'static str,
    close: fn(&mut Nesting, &[u8]) -> Option<usize>,
    string_stop: fn(&[u8], usize) -> usize,
}

/// All that this CPU can run, each called directly, and what the crate itself calls.
fn wrappers() -> Vec<Wrapper> {
    let wrapper = |name, close, string_stop| Wrapper {
        name,
        close,
        string_stop,
    };
    let mut all = vec![
        wrapper("chosen", close, string_stop),
        wrapper("portable", portable::close, portable::string_stop),
    ];
    #[cfg(target_arch = "x86_64")]
    {
        use super::x86;
        all.push(wrapper("SSE2", x86::close_sse2, x86::string_stop));
        if x86::has_avx2() {
            all.push(wrapper(
                "AVX2",
                // SAFETY: the features were just found.
                |nesting, data| unsafe { x86::close_avx2(nesting, data) },
                x86::string_stop,
            ));
        }
    }
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    all.push(wrapper(
        "NEON",
        super::neon::close,
        super::neon::string_stop,
    ));
    all
}

/// The end and the pairing by one wrapper, of pieces in their order.
fn close_pieces<'a>(
    wrapper: &Wrapper,
    open: u8,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Option<usize>, bool) {
    let (mut nesting, mut before) = (Nesting::opened(open), 0);
    for piece in pieces {
        if let Some(end) = (wrapper.close)(&mut nesting, piece) {
            return (Some(before + end), nesting.pairs_up());
        }
        before += piece.len();
    }
    (None, nesting.pairs_up())
}

/// Escapes outside of strings and quotes after backslashes are what the masks could get wrong.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => Just(b'\\'), 3 => Just(b'"'), 2 => Just(b'{'), 2 => Just(b'}'), 1 => Just(b'['), 1 => Just(b']'),
        4 => any::<u8>(), 2 => Just(b'a'),
    ];
    prop::collection::vec(byte, 0..300)
}

/// Balanced, of a length that shares no factor with that of a block: each byte of it comes to each place of one.
const PART: &[u8] = br#"{"a\"}\\":[{},"\\\\","]{"],"b":{"c\\\\\\":[[],{}]}},2,"#;

#[test]
fn every_alignment_and_length() {
    let text = PART.repeat(8);
    for wrapper in wrappers() {
        for start in 0..64 {
            for length in 0..=200 {
                let data = &text[start..start + length];
                for open in *b"{[" {
                    assert_eq!(
                        close_pieces(&wrapper, open, [data]),
                        close_by_bytes(open, data),
                        "{} of {length} bytes at {start}",
                        wrapper.name
                    );
                }
                for from in [0, length / 2, length] {
                    assert_eq!(
                        (wrapper.string_stop)(data, from),
                        stop_by_bytes(data, from),
                        "{} from {from} of {length} bytes at {start}",
                        wrapper.name
                    );
                }
            }
        }
    }
}

#[test]
fn every_border_between_two_pieces() {
    let text = [b"[[[[", &PART.repeat(6)[..], b"0]]]]]"].concat();
    for wrapper in wrappers() {
        let expected = (Some(text.len()), true);
        for border in 0..=text.len() {
            let (left, right) = text.split_at(border);
            assert_eq!(
                close_pieces(&wrapper, b'[', [left, right]),
                expected,
                "{} cut at {border}",
                wrapper.name
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn all_wrappers_agree_on_any_split(data in bytes(), open in prop_oneof![Just(b'{'), Just(b'[')], cut in 1usize..130) {
        let expected = close_by_bytes(open, &data);
        for wrapper in wrappers() {
            prop_assert_eq!(close_pieces(&wrapper, open, [&data[..]]), expected, "{}", wrapper.name);
            let pieces = close_pieces(&wrapper, open, data.chunks(cut));
            prop_assert_eq!(pieces, expected, "{} in pieces", wrapper.name);
        }
    }

    #[test]
    fn string_stops_agree(data in bytes(), from in 0usize..310) {
        let from = from.min(data.len());
        for wrapper in wrappers() {
            prop_assert_eq!((wrapper.string_stop)(&data, from), stop_by_bytes(&data, from), "{}", wrapper.name);
        }
    }
}
