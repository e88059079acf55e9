//! `ResourceVersion`: a resourceVersion that can be compared.
//!
//! Kubernetes 1.35 made the versions of one resource comparable: decimal numbers of any length, without leading zeros. So
//! the longer one is the greater, and of equal length the one that comes later as text.

use std::fmt;

/// A version that is a decimal number. "" is "0": any version is at or past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResourceVersion<'a>(&'a str);

/// A text that is no decimal number without leading zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDecimal;

impl fmt::Display for NotDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a decimal number without leading zeros")
    }
}

impl std::error::Error for NotDecimal {}

impl<'a> ResourceVersion<'a> {
    /// What `text` says.
    pub fn parse(text: &'a str) -> Result<Self, NotDecimal> {
        match text.as_bytes() {
            b"" => Ok(Self("0")),
            [b'0', _, ..] => Err(NotDecimal),
            digits if digits.iter().all(u8::is_ascii_digit) => Ok(Self(text)),
            _ => Err(NotDecimal),
        }
    }

    /// Whether it names no state at all: "" or "0".
    pub fn is_any(self) -> bool {
        self.0 == "0"
    }

    /// The digits.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

impl Ord for ResourceVersion<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.len(), self.0).cmp(&(other.0.len(), other.0))
    }
}

impl PartialOrd for ResourceVersion<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::{NotDecimal, ResourceVersion};

    fn version(text: &str) -> ResourceVersion<'_> {
        ResourceVersion::parse(text).unwrap()
    }

    #[test]
    fn versions_compare_as_numbers_of_any_length() {
        let long = "99999999999999999999999999999999999999999";
        let longer = "100000000000000000000000000000000000000000";
        let mut all = [longer, "10", "0", "2", long, "9", "11"].map(version);
        all.sort_unstable();
        let sorted = all.map(ResourceVersion::as_str);
        assert_eq!(sorted, ["0", "2", "9", "10", "11", long, longer]);
        assert!(version("7") == version("7") && version("") == version("0"));
    }

    #[test]
    fn what_is_no_decimal_number_is_refused() {
        for text in [
            "a", "1a", "-1", "+1", " 1", "1 ", "1.0", "01", "00", "\u{0661}", "1_0",
        ] {
            assert_eq!(ResourceVersion::parse(text), Err(NotDecimal), "{text}");
        }
    }

    #[test]
    fn only_zero_and_nothing_are_any() {
        assert!(version("").is_any() && version("0").is_any());
        assert!(!version("1").is_any() && !version("10").is_any());
    }
}
