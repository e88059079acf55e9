//! `Client`: GETs of one server with one set of settings, and the connections between them.
//!
//! A request is sent at most once. It is given to another connection iff the one before certainly sent nothing of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use http::{header, HeaderMap, HeaderValue, Request, Uri};
use kubeinformer_core::sync::Mutex;
use tokio::time::timeout;

use crate::body::Body;
use crate::connect::Origin;
use crate::error::Error;
use crate::link::{Http2, Link, SendError};
use crate::stop::Stop;

/// An idle connection that is older is not used: what lies between may have forgotten it without a word.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// How long a request may wait.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// For the head of the answer, from when there is a connection.
    pub read: Duration,
}

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Path and query, escaped.
    pub target: PathAndQuery,
    /// All but Host.
    pub headers: HeaderMap,
}

/// The head of an answer, and its body to read.
pub struct Answer {
    /// HTTP's status code.
    pub status: u16,
    /// As they came.
    pub headers: HeaderMap,
    /// To be read by one thread.
    pub body: Body,
}

struct Idle {
    link: Link,
    since: Instant,
}

/// See the [module](self).
pub struct Client {
    origin: Origin,
    /// Of HTTP/1.1; what was used last is used next.
    idle: Mutex<Vec<Idle>>,
    /// The connection of HTTP/2, which all requests share.
    shared: Mutex<Option<Http2>>,
}

impl Client {
    /// Connects to nothing yet.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            idle: Mutex::default(),
            shared: Mutex::default(),
        }
    }

    /// Sends one GET and waits for the head of the answer, whatever its status. `stop` ends that at any time.
    pub async fn get(
        self: Arc<Self>,
        wanted: Wanted,
        timeouts: Timeouts,
        stop: Arc<Stop>,
    ) -> Result<Answer, Error> {
        tokio::select! {
            biased;
            () = stop.wait() => Err(Error::Stopped),
            answer = self.exchange(&wanted, timeouts) => answer,
        }
    }

    /// Forgets the idle connections.
    pub fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        let shared = self.shared.lock().take();
        drop((idle, shared));
    }

    async fn exchange(
        self: &Arc<Self>,
        wanted: &Wanted,
        timeouts: Timeouts,
    ) -> Result<Answer, Error> {
        while let Some(link) = self.known() {
            match self.send(link, wanted, timeouts).await {
                Err(SendError::Unsent(_)) => {}
                Err(SendError::Failed(error)) => return Err(error),
                Ok(answer) => return Ok(answer),
            }
        }
        let link = timeout(timeouts.connect, self.connect(timeouts.connect))
            .await
            .map_err(|_| Error::ConnectTimedOut)??;
        match self.send(link, wanted, timeouts).await {
            Err(SendError::Unsent(error) | SendError::Failed(error)) => Err(error),
            Ok(answer) => Ok(answer),
        }
    }

    async fn connect(&self, timeout: Duration) -> Result<Link, Error> {
        let (stream, is_http2) = self.origin.connect(timeout).await?;
        let link = Link::new(stream, is_http2).await?;
        if let Link::Http2(sender) = &link {
            *self.shared.lock() = Some(sender.clone());
        }
        Ok(link)
    }

    /// A connection that is open as far as anybody can know.
    fn known(&self) -> Option<Link> {
        let shared = self.shared.lock().clone();
        if let Some(sender) = shared {
            let link = Link::Http2(sender);
            if link.is_open() {
                return Some(link);
            }
            *self.shared.lock() = None;
        }
        loop {
            let Idle { link, since } = self.idle.lock().pop()?;
            if since.elapsed() < MAX_IDLE && link.is_open() {
                return Some(link);
            }
        }
    }

    /// Takes back a connection whose answer was read to its end.
    pub(crate) fn put(&self, link: Link) {
        let since = Instant::now();
        self.idle.lock().push(Idle { link, since });
    }

    async fn send(
        self: &Arc<Self>,
        link: Link,
        wanted: &Wanted,
        timeouts: Timeouts,
    ) -> Result<Answer, SendError> {
        let request = self
            .request(wanted, matches!(link, Link::Http2(_)))
            .map_err(SendError::Failed)?;
        let (status, headers, incoming) = timeout(timeouts.read, link.send(request))
            .await
            .map_err(|_| SendError::Failed(Error::Silent))??;
        let body = Body::new(incoming, &headers, Arc::clone(self));
        Ok(Answer {
            status: status.as_u16(),
            headers,
            body,
        })
    }

    fn request(&self, wanted: &Wanted, is_http2: bool) -> Result<Request<()>, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Failed(error.to_string());
        let mut headers = wanted.headers.clone();
        let mut parts = http::uri::Parts::default();
        parts.path_and_query = Some(wanted.target.clone());
        if is_http2 || self.origin.is_forwarded() {
            let address = self.origin.address.clone().into_parts();
            parts.scheme = address.scheme;
            parts.authority = address.authority;
        }
        if !is_http2 {
            let host = host(&self.origin.address);
            let host = HeaderValue::from_str(&host).map_err(|error| failed(&error))?;
            headers.entry(header::HOST).or_insert(host);
        }
        if let Some(proxy) = self
            .origin
            .proxy
            .as_ref()
            .filter(|_| self.origin.is_forwarded())
        {
            headers.extend(proxy.headers.clone());
        }
        let uri = Uri::from_parts(parts).map_err(|error| failed(&error))?;
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Host and port as the header has them: a port that goes without saying is left out.
fn host(address: &Uri) -> String {
    let name = address.host().unwrap_or_default();
    match (address.scheme_str(), address.port_u16()) {
        (Some("http"), Some(80)) | (Some("https"), Some(443)) | (_, None) => name.to_owned(),
        (_, Some(port)) => format!("{name}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_header_has_a_port_that_does_not_go_without_saying() {
        for (address, expected) in [
            ("http://a.example:80/", "a.example"),
            ("https://a.example:443/", "a.example"),
            ("https://a.example:80/", "a.example:80"),
            ("https://[::1]:6443/", "[::1]:6443"),
        ] {
            assert_eq!(host(&address.parse().expect("an address")), expected);
        }
    }
}
