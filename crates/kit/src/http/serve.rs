//! One listener: TCP or TLS, HTTP/1.1 and HTTP/2, bounded in connections and in time, drained on shutdown.
//!
//! Limits on single requests (sizes, deadline) belong to [`super::layers`]; this file bounds connections.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::shutdown::Shutdown;
use crate::tls::{self, Identity, TlsError};

/// hyper's own bounds, well above the stack's, so that the stack's answer in our error shape is the one that is seen.
const HEAD_BYTES_MAX: usize = 128 * 1024;
/// Number of headers of one request; beyond it hyper answers a bare 431.
const HEADERS_MAX: usize = 256;
/// Streams that one HTTP/2 connection may have open.
const STREAMS_MAX: u32 = 256;
/// After asking a connection to finish because it is idle, it is dropped this much later.
const IDLE_FAREWELL: Duration = Duration::from_secs(2);
/// Pause after accept(2) failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How connections are accepted and bounded.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// TLS, or plain TCP when absent.
    pub tls: Option<ServerTls>,
    /// Connections open at once; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// From the first byte of a request to the end of its head, and for the TLS handshake.
    pub header_timeout: Duration,
    /// A connection without any request in flight is closed after this.
    pub idle_timeout: Duration,
    /// How long shutdown waits for what is in flight.
    pub grace: Duration,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            tls: None,
            connections_max: 8192,
            header_timeout: Duration::from_secs(15),
            // Ours: longer than the minute for which most clients keep unused connections, so that they close first.
            idle_timeout: Duration::from_secs(75),
            grace: Duration::from_secs(65),
        }
    }
}

/// Who the listener is, and whom it asks for certificates.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Certificate chain and key.
    pub identity: Identity,
    /// Whether clients are asked for a certificate.
    pub client_certificates: ClientCertificates,
    /// Names under which nobody is asked. A browser that is asked may put the question to whoever sits before it, and drops what it has
    /// under way to that name once it knows the answer.
    pub unasked_names: Vec<String>,
}

/// What happens with client certificates. None of the choices requires one: enforcement is the application's decision.
#[derive(Clone, Debug, Default)]
pub enum ClientCertificates {
    /// Not asked for.
    #[default]
    Ignored,
    /// Asked for; one that does not chain to `roots` ends the handshake.
    Verified {
        /// Issuers that are trusted.
        roots: Vec<CertificateDer<'static>>,
    },
    /// Asked for; possession of its key is proven in any case, and [`PeerCertificate::chain_valid`] reports whether it chains
    /// to `roots`. For applications that observe before they enforce.
    Reported {
        /// Issuers that are trusted; empty means that none is.
        roots: Vec<CertificateDer<'static>>,
    },
}

/// Address of the other side, in the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The client's certificate, in the extensions of every request of a connection that presented one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The end entity certificate.
    pub der: Bytes,
    /// Whether it chained to the configured roots and was within its validity at the handshake.
    pub chain_valid: bool,
}

/// Why a listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, foreign or forbidden.
    #[error("listening on {addr}")]
    Listen {
        /// What was asked for.
        addr: SocketAddr,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The TLS settings do not work.
    #[error("preparing TLS for {addr}")]
    Tls {
        /// What was asked for.
        addr: SocketAddr,
        /// What is wrong with them.
        #[source]
        source: TlsError,
    },
}

/// A bound listener.
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    config: ServeConfig,
    tls: Option<Acceptor>,
}

#[derive(Clone)]
struct Acceptor {
    asking: Arc<rustls::ServerConfig>,
    unasking: Arc<rustls::ServerConfig>,
    unasked_names: Arc<[String]>,
    reporter: Option<Arc<dyn ClientCertVerifier>>,
    roots_checked: bool,
}

impl Server {
    /// Binds; port 0 takes a free one.
    ///
    /// # Errors
    /// See [`BindError`].
    pub async fn bind(addr: SocketAddr, config: ServeConfig) -> Result<Self, BindError> {
        let tls = config.tls.as_ref().map(acceptor).transpose().map_err(|source| BindError::Tls { addr, source })?;
        let listen = |source| BindError::Listen { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let local_addr = listener.local_addr().map_err(listen)?;
        Ok(Self { listener, local_addr, config, tls })
    }

    /// The address bound, with the port that was chosen.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Serves until `shutdown`, then stops accepting, lets requests in flight finish for up to the grace period, and drops
    /// what is left. `router` should have been through [`super::layers::stack`].
    pub async fn run(self, router: Router, shutdown: Shutdown) {
        let Self { listener, local_addr, config, tls } = self;
        let connections = TaskTracker::new();
        let permits = Arc::new(Semaphore::new(config.connections_max));
        // Two signals: finish politely, and stop now.
        let (polite, now) = (shutdown.child(), Shutdown::new());
        let config = Arc::new(config);

        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.requested() => break,
                accepted = accept(&listener, &permits) => accepted,
            };
            let (stream, peer, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection on {local_addr} failed, pausing");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let connection =
                Connection { router: router.clone(), peer, config: Arc::clone(&config), polite: polite.clone() };
            let (tls, now) = (tls.clone(), now.clone());
            connections.spawn(async move {
                let _permit = permit;
                tokio::select! {
                    () = now.requested() => {}
                    () = connection.serve(stream, tls) => {}
                }
            });
        }

        drop(listener);
        connections.close();
        let in_flight = connections.len();
        if tokio::time::timeout(config.grace, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "grace period over, dropping connections of {local_addr}");
            now.trigger();
            connections.wait().await;
        }
        tracing::debug!(connections = in_flight, "listener {local_addr} drained");
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// Errors that concern the connection that was about to be accepted, not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

fn acceptor(settings: &ServerTls) -> Result<Acceptor, TlsError> {
    let provider = tls::crypto_provider();
    let builder = || {
        rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(tls::VERSIONS)
            .map_err(TlsError::Rustls)
    };
    let verifier = |roots: &[CertificateDer<'static>]| -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let mut store = rustls::RootCertStore::empty();
        for root in roots {
            store.add(root.clone()).map_err(TlsError::Rustls)?;
        }
        WebPkiClientVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(TlsError::ClientVerifier)
    };
    let (asking, reporter, roots_checked) = match &settings.client_certificates {
        ClientCertificates::Ignored => (builder()?.with_no_client_auth(), None, false),
        ClientCertificates::Verified { roots } => (builder()?.with_client_cert_verifier(verifier(roots)?), None, true),
        ClientCertificates::Reported { roots } => {
            let reporter = if roots.is_empty() { None } else { Some(verifier(roots)?) };
            let any = Arc::new(tls::AnyClientCertificate::new(Arc::clone(&provider)));
            (builder()?.with_client_cert_verifier(any), reporter, false)
        }
    };
    let identified = |builder: rustls::ConfigBuilder<rustls::ServerConfig, rustls::server::WantsServerCert>| {
        let mut config = builder
            .with_single_cert(settings.identity.chain.clone(), settings.identity.key.clone_key())
            .map_err(TlsError::Rustls)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    };
    Ok(Acceptor {
        asking: identified(asking)?,
        unasking: identified(builder()?.with_no_client_auth())?,
        unasked_names: settings.unasked_names.clone().into(),
        reporter,
        roots_checked,
    })
}

impl Acceptor {
    /// The handshake, by the name that the client came for.
    async fn accept(&self, stream: TcpStream) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
        let hello = tokio_rustls::LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
        let name = hello.client_hello().server_name().map(str::to_owned);
        let is_unasked =
            name.is_some_and(|name| self.unasked_names.iter().any(|unasked| unasked.eq_ignore_ascii_case(&name)));
        hello.into_stream(Arc::clone(if is_unasked { &self.unasking } else { &self.asking })).await
    }

    fn peer_certificate(&self, connection: &rustls::ServerConnection) -> Option<PeerCertificate> {
        let (end_entity, intermediates) = connection.peer_certificates()?.split_first()?;
        let chain_valid = self.roots_checked
            || self.reporter.as_ref().is_some_and(|verifier| {
                verifier.verify_client_cert(end_entity, intermediates, UnixTime::now()).is_ok()
            });
        Some(PeerCertificate { der: Bytes::copy_from_slice(end_entity), chain_valid })
    }
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    config: Arc<ServeConfig>,
    polite: Shutdown,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<Acceptor>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "connection was gone before it began");
            return;
        }
        let Some(acceptor) = tls else {
            return self.serve_http(stream, None).await;
        };
        let handshake = tokio::time::timeout(self.config.header_timeout, acceptor.accept(stream));
        let polite = self.polite.clone();
        tokio::select! {
            () = polite.requested() => {}
            shaken = handshake => match shaken {
                Ok(Ok(stream)) => {
                    let certificate = acceptor.peer_certificate(stream.get_ref().1);
                    self.serve_http(stream, certificate).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, peer = %self.peer, "TLS handshake failed"),
                Err(_) => tracing::debug!(peer = %self.peer, "TLS handshake timed out"),
            },
        }
    }

    async fn serve_http<T>(self, stream: T, certificate: Option<PeerCertificate>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, peer, config, polite } = self;
        let activity = Arc::new(Activity::new());
        let service_activity = Arc::clone(&activity);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let busy = Busy::begin(&service_activity, request.version() == http::Version::HTTP_2);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(PeerAddr(peer));
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            let mut router = router.clone();
            async move {
                // A router is always ready.
                let response: Response = router.call(request).await?;
                Ok::<_, std::convert::Infallible>(response.map(|inner| BusyBody { inner, _busy: busy }))
            }
        });

        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // The watch below tells a slow head from an idle connection; hyper's timer covers both.
            .header_read_timeout(None)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .max_concurrent_streams(STREAMS_MAX);
        let io = TokioIo::new(WatchedIo { inner: stream, activity: Arc::clone(&activity) });
        let connection = builder.serve_connection(io, service);
        tokio::pin!(connection);

        let tick = (config.header_timeout.min(config.idle_timeout) / 4)
            .clamp(Duration::from_millis(20), Duration::from_secs(5));
        let mut watch = tokio::time::interval(tick);
        watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut asked_to_finish: Option<Instant> = None;
        let mut polite_asked = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, %peer, "connection ended early");
                    }
                    return;
                }
                () = polite.requested(), if !polite_asked => {
                    polite_asked = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = watch.tick() => {
                    if activity.head_is_slow(config.header_timeout) {
                        tracing::debug!(%peer, "request head took too long, closing");
                        return;
                    }
                    match asked_to_finish {
                        Some(since) if since.elapsed() > IDLE_FAREWELL && activity.is_idle() => return,
                        None if activity.is_idle_for(config.idle_timeout) => {
                            asked_to_finish = Some(Instant::now());
                            connection.as_mut().graceful_shutdown();
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

/// What a connection is doing. Times are milliseconds since it began, plus one, so that zero means "not".
struct Activity {
    began: Instant,
    in_flight: AtomicUsize,
    last_end_ms: AtomicU64,
    head_since_ms: AtomicU64,
    multiplexed: AtomicBool,
}

impl Activity {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            in_flight: AtomicUsize::new(0),
            last_end_ms: AtomicU64::new(1),
            head_since_ms: AtomicU64::new(0),
            multiplexed: AtomicBool::new(false),
        }
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }

    fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) == 0
    }

    fn is_idle_for(&self, limit: Duration) -> bool {
        let quiet = self.now_ms().saturating_sub(self.last_end_ms.load(Ordering::Acquire));
        self.is_idle() && quiet > limit.as_millis() as u64
    }

    /// Bytes came in while nothing was in flight: a head has begun. On HTTP/2 they may be mere pings, and the protocol has
    /// its own bounds.
    fn bytes_arrived(&self) {
        if self.is_idle()
            && self.head_since_ms.load(Ordering::Relaxed) == 0
            && !self.multiplexed.load(Ordering::Relaxed)
        {
            self.head_since_ms.store(self.now_ms(), Ordering::Release);
        }
    }

    fn head_is_slow(&self, limit: Duration) -> bool {
        let since = self.head_since_ms.load(Ordering::Acquire);
        since != 0 && self.is_idle() && self.now_ms().saturating_sub(since) > limit.as_millis() as u64
    }
}

/// Held from the head of a request to the last byte of its response.
struct Busy(Arc<Activity>);

impl Busy {
    fn begin(activity: &Arc<Activity>, multiplexed: bool) -> Self {
        activity.in_flight.fetch_add(1, Ordering::AcqRel);
        activity.head_since_ms.store(0, Ordering::Release);
        if multiplexed {
            activity.multiplexed.store(true, Ordering::Relaxed);
        }
        Self(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.last_end_ms.store(self.0.now_ms(), Ordering::Release);
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

struct BusyBody {
    inner: Body,
    _busy: Busy,
}

impl HttpBody for BusyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The stream, telling [`Activity`] when bytes arrive.
struct WatchedIo<T> {
    inner: T,
    activity: Arc<Activity>,
}

impl<T: AsyncRead + Unpin> AsyncRead for WatchedIo<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.bytes_arrived();
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WatchedIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
