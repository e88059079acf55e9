//! What keeps an answer, or a part of it, from coming. A message holds no credential: neither headers nor addresses with
//! user names are quoted.

use std::error::Error as StdError;
use std::{fmt, io};

use kubeinformer_core::source::ReadError;
use tokio_rustls::rustls;

/// Why an exchange failed.
#[derive(Debug)]
pub enum Error {
    /// Nobody listens.
    Refused,
    /// There was no connection, TLS included, in time.
    ConnectTimedOut,
    /// The two sides of TLS do not agree; nothing was sent. Not of a connection that broke off meanwhile.
    Tls(String),
    /// The request was sent, or a part of the answer is here, and nothing came for too long.
    Silent,
    /// The exchange was stopped.
    Stopped,
    /// The body is shorter than the server said.
    Short {
        /// Bytes that came.
        got: u64,
        /// Bytes that were announced.
        of: u64,
    },
    /// Anything else.
    Failed(String),
    /// What came cannot be read, or is not wanted any more.
    Read(ReadError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::ConnectTimedOut => f.write_str("timed out while connecting"),
            Self::Silent => f.write_str("the server was silent for too long"),
            Self::Stopped => f.write_str("stopped"),
            Self::Short { got, of } => write!(f, "the body ended after {got} of {of} bytes"),
            Self::Tls(what) | Self::Failed(what) => f.write_str(what),
            Self::Read(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {}

impl Error {
    /// Of what a library raised.
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        let is_refusal = |cause: &(dyn StdError + 'static)| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        if causes(error).any(is_refusal) {
            return Self::Refused;
        }
        Self::Failed(words(error))
    }

    /// Of the handshake.
    pub(crate) fn tls(error: &io::Error) -> Self {
        let is_disagreement = |cause: &(dyn StdError + 'static)| cause.is::<rustls::Error>();
        match Self::of(error) {
            Self::Failed(what) if causes(error).any(is_disagreement) => Self::Tls(what),
            other => other,
        }
    }
}

/// The error and what led to it. An `io::Error` shows what it wraps only by `get_ref`.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| -> &(dyn StdError + 'static) { inner });
        wrapped.or_else(|| error.source())
    })
}

/// What went wrong and what led to it, each said once.
fn words(error: &(dyn StdError + 'static)) -> String {
    let mut said = String::new();
    for cause in causes(error) {
        let cause = cause.to_string();
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_is_found_below_other_errors() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let wrapped = io::Error::other(refused);
        assert!(matches!(Error::of(&wrapped), Error::Refused));
        assert!(matches!(Error::tls(&wrapped), Error::Refused));
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(Error::of(&reset).to_string(), "connection reset");
    }

    #[test]
    fn a_reset_in_a_handshake_says_nothing_about_tls() {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(matches!(Error::tls(&reset), Error::Failed(_)));
        let disagreement =
            rustls::Error::PeerIncompatible(rustls::PeerIncompatible::NoCipherSuitesInCommon);
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, disagreement);
        assert!(matches!(Error::tls(&wrapped), Error::Tls(_)));
    }
}
