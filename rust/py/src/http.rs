//! `HTTPClient`, `HTTPExchange`: the native client, whose bodies can go to a reader without the interpreter.
//!
//! A call blocks its own thread, detached; the threads of the runtime never attach.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use kubeinformer_core::sync::Mutex;
use kubeinformer_http::body::Body;
use kubeinformer_http::client::{Client, Timeouts, Wanted};
use kubeinformer_http::connect::{Origin, Proxy, Tls};
use kubeinformer_http::error::Error;
use kubeinformer_http::pump::{pump, Heard, Limits, Pumped, PIECE};
use kubeinformer_http::runtime;
use kubeinformer_http::sink::Sink;
use kubeinformer_http::stop::Stop;
use kubeinformer_http::tls::{self, Identity};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors;
use crate::fork::{Birth, OfProcess};
use crate::source::{ListReader, WatchReader};
use crate::wait;

type Headers = Vec<(String, Vec<u8>)>;
/// The name in the server's certificate, the authorities, and the client's certificate with its key; all in PEM.
type TlsSettings<'a> = (String, Option<&'a [u8]>, Option<(&'a [u8], &'a [u8])>);

fn invalid(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// No message of it has a header's value.
fn header_map(headers: &Headers) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::with_capacity(headers.len() + 1);
    for (name, value) in headers {
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let (Ok(parsed), Ok(mut value)) = (parsed, HeaderValue::from_bytes(value)) else {
            return Err(invalid(format!("the header {name:?} cannot be sent")));
        };
        value.set_sensitive(true);
        map.append(parsed, value);
    }
    Ok(map)
}

fn address(scheme: Scheme, host: &str, port: u16) -> PyResult<Uri> {
    Uri::builder()
        .scheme(scheme)
        .authority(format!("{host}:{port}"))
        .path_and_query("/")
        .build()
        .map_err(invalid)
}

fn duration(name: &str, seconds: f64) -> PyResult<Duration> {
    Ok(wait::timeout(name, Some(seconds))?.unwrap_or(Duration::MAX))
}

fn handle(birth: Birth) -> PyResult<&'static tokio::runtime::Handle> {
    runtime::handle(birth.generation())
        .map_err(|error| PyRuntimeError::new_err(format!("no threads for connections: {error}")))
}

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct HTTPClient {
    client: OfProcess<Arc<Client>>,
}

#[pymethods]
impl HTTPClient {
    #[new]
    #[pyo3(signature = (host, port, *, tls=None, proxy=None, http2=false))]
    fn new(
        host: &str,
        port: u16,
        tls: Option<TlsSettings<'_>>,
        proxy: Option<(String, u16, Headers)>,
        http2: bool,
    ) -> PyResult<Self> {
        let scheme = match tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        };
        let tls = tls.map(|(name, authorities, identity)| -> PyResult<Tls> {
            let identity = identity.map(|(certificates, key)| Identity { certificates, key });
            Ok(Tls {
                config: tls::config(authorities, identity.as_ref(), http2).map_err(invalid)?,
                name: name.try_into().map_err(invalid)?,
            })
        });
        let proxy = proxy.map(|(host, port, headers)| -> PyResult<Proxy> {
            Ok(Proxy {
                address: address(Scheme::HTTP, &host, port)?,
                headers: header_map(&headers)?,
            })
        });
        let client = Client::new(Origin {
            address: address(scheme, host, port)?,
            tls: tls.transpose()?,
            proxy: proxy.transpose()?,
        });
        Ok(Self {
            client: OfProcess::new(Arc::new(client)),
        })
    }

    #[pyo3(signature = (target, headers, *, connect_timeout, read_timeout, place))]
    fn get(
        &self,
        target: &str,
        headers: Headers,
        connect_timeout: f64,
        read_timeout: f64,
        place: String,
    ) -> PyResult<HTTPExchange> {
        let client = Arc::clone(self.client.get()?);
        let wanted = Wanted {
            target: PathAndQuery::try_from(target).map_err(invalid)?,
            headers: header_map(&headers)?,
        };
        let timeouts = Timeouts {
            connect: duration("connect_timeout", connect_timeout)?,
            read: duration("read_timeout", read_timeout)?,
        };
        Ok(HTTPExchange {
            of_process: OfProcess::new(Exchange {
                client,
                wanted: Mutex::new(Some((wanted, timeouts))),
                stop: Arc::default(),
                heard: Arc::default(),
                head: OnceLock::new(),
                body: Mutex::new(None),
            }),
            place,
        })
    }

    fn close_idle(&self, py: Python<'_>) -> PyResult<()> {
        let client = self.client.get()?;
        py.detach(|| client.close_idle());
        Ok(())
    }
}

struct Exchange {
    client: Arc<Client>,
    /// None once it is sent.
    wanted: Mutex<Option<(Wanted, Timeouts)>>,
    stop: Arc<Stop>,
    heard: Arc<Heard>,
    head: OnceLock<(u16, HeaderMap)>,
    /// None while somebody reads, and when it is closed or broke off.
    body: Mutex<Option<Body>>,
}

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct HTTPExchange {
    of_process: OfProcess<Exchange>,
    place: String,
}

impl HTTPExchange {
    fn failed(&self, error: &Error) -> PyErr {
        errors::http(error, &self.place)
    }

    fn head(&self) -> PyResult<&(u16, HeaderMap)> {
        let head = self.of_process.get()?.head.get();
        head.ok_or_else(|| PyRuntimeError::new_err("it was not sent, or there is no answer"))
    }

    fn take_body(&self) -> PyResult<Body> {
        let exchange = self.of_process.get()?;
        if exchange.stop.is_set() {
            return Err(self.failed(&Error::Stopped));
        }
        let body = exchange.body.try_lock().and_then(|mut body| body.take());
        body.ok_or_else(|| {
            let message = "there is no body to read any more, or another thread reads it";
            self.failed(&Error::Failed(message.to_owned()))
        })
    }

    fn sink(reader: &Bound<'_, PyAny>) -> PyResult<Box<dyn Sink>> {
        if let Ok(reader) = reader.cast::<WatchReader>() {
            return Ok(Box::new(reader.get().sink()?));
        }
        if let Ok(reader) = reader.cast::<ListReader>() {
            return Ok(Box::new(reader.get().sink()?));
        }
        let name = errors::type_name(reader);
        let message = format!("reader must be a WatchReader or a ListReader, not {name}");
        Err(PyTypeError::new_err(message))
    }
}

#[pymethods]
impl HTTPExchange {
    fn send(&self, py: Python<'_>) -> PyResult<()> {
        let exchange = self.of_process.get()?;
        let runtime = handle(self.of_process.birth())?;
        let wanted = exchange.wanted.try_lock().and_then(|mut it| it.take());
        let (wanted, timeouts) =
            wanted.ok_or_else(|| PyRuntimeError::new_err("it was sent before"))?;
        let client = Arc::clone(&exchange.client);
        let mut answer = Box::pin(client.get(wanted, timeouts, Arc::clone(&exchange.stop)));
        let answer = wait::wait(py, None, |slice| {
            runtime.block_on(async { within(slice, &mut answer).await })
        })?;
        let answer = answer
            .expect("a wait without an end has an answer")
            .map_err(|error| self.failed(&error))?;
        *exchange
            .body
            .try_lock()
            .expect("nobody reads before there is a body") = Some(answer.body);
        let _ = exchange.head.set((answer.status, answer.headers));
        Ok(())
    }

    #[getter]
    fn status(&self) -> PyResult<u16> {
        Ok(self.head()?.0)
    }

    /// Bytes as latin-1, which is what they are.
    #[getter]
    fn headers(&self) -> PyResult<Vec<(String, String)>> {
        let (_, headers) = self.head()?;
        let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
        Ok(headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect())
    }

    fn read<'py>(&self, py: Python<'py>, timeout: f64) -> PyResult<Bound<'py, PyBytes>> {
        let timeout = wait::timeout("timeout", Some(timeout))?;
        let runtime = handle(self.of_process.birth())?;
        let exchange = self.of_process.get()?;
        let mut body = self.take_body()?;
        let read = wait::wait(py, timeout, |slice| {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = exchange.stop.wait() => Some(Err(Error::Stopped)),
                    read = within(slice, body.read(PIECE)) => read,
                }
            })
        })?;
        read.unwrap_or(Err(Error::Silent))
            .map_err(|error| self.failed(&error))?;
        exchange.heard.note_now();
        let pieces = body.pieces();
        let length = pieces.iter().map(|piece| piece.len()).sum();
        let read = PyBytes::new_with(py, length, |target| {
            let mut rest = target;
            for piece in &pieces {
                let (now, later) = rest.split_at_mut(piece.len());
                now.copy_from_slice(piece);
                rest = later;
            }
            Ok(())
        });
        py.detach(|| *exchange.body.lock() = Some(body));
        read
    }

    fn read_into(
        &self,
        py: Python<'_>,
        reader: &Bound<'_, PyAny>,
        timeout: f64,
        at_most: f64,
    ) -> PyResult<bool> {
        let limits = Limits {
            silence: duration("timeout", timeout)?,
            at_most: duration("at_most", at_most)?,
        };
        let mut sink = Self::sink(reader)?;
        let runtime = handle(self.of_process.birth())?;
        let exchange = self.of_process.get()?;
        let mut body = self.take_body()?;
        let (stop, heard) = (Arc::clone(&exchange.stop), Arc::clone(&exchange.heard));
        let mut pumping = runtime.spawn(async move {
            let pumped = pump(&mut body, &mut *sink, limits, &stop, &heard).await;
            (body, pumped)
        });
        let waited = wait::wait(py, None, |slice| {
            runtime.block_on(async { within(slice, &mut pumping).await })
        });
        let (body, pumped) = match waited {
            Ok(Some(Ok(pumped))) => pumped,
            Ok(Some(Err(panic))) => std::panic::resume_unwind(panic.into_panic()),
            Ok(None) => unreachable!("a wait without an end has an answer"),
            Err(interrupted) => {
                exchange.stop.set();
                return Err(interrupted);
            }
        };
        let pumped = pumped.map_err(|error| self.failed(&error))?;
        py.detach(|| *exchange.body.lock() = Some(body));
        Ok(pumped == Pumped::Over)
    }

    fn silence(&self) -> PyResult<f64> {
        Ok(self.of_process.get()?.heard.silence().as_secs_f64())
    }

    fn shutdown(&self, py: Python<'_>) -> PyResult<()> {
        let exchange = self.of_process.get()?;
        py.detach(|| exchange.stop.set());
        Ok(())
    }

    fn close(&self, py: Python<'_>, complete: bool) -> PyResult<()> {
        let exchange = self.of_process.get()?;
        py.detach(|| {
            if let Some(body) = exchange.body.lock().take() {
                if complete && !exchange.stop.is_set() {
                    body.give_back();
                }
            }
        });
        Ok(())
    }
}

/// None when the time is over.
async fn within<R>(time: Option<Duration>, work: impl Future<Output = R>) -> Option<R> {
    match time {
        Some(time) => tokio::time::timeout(time, work).await.ok(),
        None => Some(work.await),
    }
}
