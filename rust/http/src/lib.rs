//! The native transport: one GET of an API server, from the connection to the core's readers. It knows no Python.
//!
//! Bytes flow one way: [`connect`] -> [`link`] -> [`body`] -> [`pump`] -> a [`sink`], which is a reader of the core. All of
//! it runs on the threads of [`runtime`] or on the caller's.
//!
//! A request is on the wire at most once: nothing is repeated but what certainly was not sent.

pub mod body;
pub mod client;
pub mod connect;
pub mod error;
mod gunzip;
mod http1;
mod link;
pub mod pump;
pub mod runtime;
pub mod sink;
pub mod stop;
mod stream;
pub mod tls;
