//! Making a connection: name, TCP, the proxy's tunnel, TLS. It has not sent a byte of a request when it is ready.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Uri};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::TlsConnector;
use tower_service::Service;

use crate::error::Error;
use crate::stream::Stream;

/// client-go's keepalive: probes after 30 s of silence, 15 s apart, given up after 9. It is what finds a connection that a
/// load balancer or a dead node dropped without a word.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 9;

/// TLS of a server.
#[derive(Clone)]
pub struct Tls {
    /// What is shown and believed.
    pub config: Arc<ClientConfig>,
    /// The name that the server's certificate must have.
    pub name: ServerName<'static>,
}

/// A proxy that is spoken to in plain HTTP.
#[derive(Clone)]
pub struct Proxy {
    /// Its address.
    pub address: Uri,
    /// Headers for it alone.
    pub headers: HeaderMap,
}

/// A server and the way to it.
#[derive(Clone)]
pub struct Origin {
    /// Scheme, host and port.
    pub address: Uri,
    /// None: plain HTTP.
    pub tls: Option<Tls>,
    /// None: directly.
    pub proxy: Option<Proxy>,
}

impl Origin {
    /// Whether requests go to the proxy itself: without TLS there is no tunnel.
    pub(crate) fn is_forwarded(&self) -> bool {
        self.proxy.is_some() && self.tls.is_none()
    }

    /// A connection, and whether it speaks HTTP/2. `timeout` is for the addresses of one name; the caller has the clock.
    pub(crate) async fn connect(&self, timeout: Duration) -> Result<(Stream, bool), Error> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeout));
        connector.set_keepalive(Some(KEEPALIVE_IDLE));
        connector.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        connector.set_keepalive_retries(Some(KEEPALIVE_PROBES));
        let tcp = self.reach(connector).await?;
        let Some(tls) = &self.tls else {
            return Ok((Stream::Plain(tcp), false));
        };
        let connector = TlsConnector::from(Arc::clone(&tls.config));
        let stream = connector
            .connect(tls.name.clone(), tcp)
            .await
            .map_err(|error| Error::tls(&error))?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Stream::Tls(Box::new(stream)), http2))
    }

    async fn reach(&self, mut connector: HttpConnector) -> Result<TcpStream, Error> {
        let connected: Result<TokioIo<TcpStream>, Error> = match &self.proxy {
            None => connector
                .call(self.address.clone())
                .await
                .map_err(|error| Error::of(&error)),
            Some(proxy) if self.tls.is_none() => connector
                .call(proxy.address.clone())
                .await
                .map_err(|error| Error::of(&error)),
            Some(proxy) => Tunnel::new(proxy.address.clone(), connector)
                .with_headers(proxy.headers.clone())
                .call(self.address.clone())
                .await
                .map_err(|error| Error::of(&error)),
        };
        connected.map(TokioIo::into_inner)
    }
}
