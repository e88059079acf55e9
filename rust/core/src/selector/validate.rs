//! What a label key and a label value may look like. Invariant: accepts what `IsQualifiedName` and `IsValidLabelValue` of
//! apimachinery accept.

const NAME: usize = 63;
const PREFIX: usize = 253;

pub(super) fn key(key: &str) -> Result<(), String> {
    let name = match key.split_once('/') {
        None => key,
        Some((_, name)) if name.contains('/') => return Err("more than one '/'".into()),
        Some(("", _)) => return Err("the prefix before '/' is empty".into()),
        Some((prefix, name)) => {
            dns_subdomain(prefix)?;
            name
        }
    };
    if name.is_empty() {
        return Err("the name is empty".into());
    }
    word(name)
}

pub(super) fn value(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Ok(());
    }
    word(value)
}

/// Letters, digits, `-`, `_`, `.`; a letter or digit at both ends; at most 63.
fn word(text: &str) -> Result<(), String> {
    if text.len() > NAME {
        return Err(format!("longer than {NAME} characters"));
    }
    let bytes = text.as_bytes();
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = bytes[0].is_ascii_alphanumeric() && bytes[bytes.len() - 1].is_ascii_alphanumeric();
    if ends && bytes.iter().all(inside) {
        return Ok(());
    }
    Err(
        "only letters, digits, '-', '_' and '.' are allowed, with a letter or digit at both ends"
            .into(),
    )
}

/// Labels of lower-case letters, digits and `-`, separated by dots.
fn dns_subdomain(prefix: &str) -> Result<(), String> {
    if prefix.len() > PREFIX {
        return Err(format!("the prefix is longer than {PREFIX} characters"));
    }
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| match label.as_bytes() {
        [] => false,
        bytes @ ([first, .., last] | [first @ last]) => {
            alphanumeric(*first)
                && alphanumeric(*last)
                && bytes
                    .iter()
                    .all(|byte| alphanumeric(*byte) || *byte == b'-')
        }
    };
    if prefix.split('.').all(label) {
        return Ok(());
    }
    Err("the prefix is not a lower-case DNS name".into())
}
