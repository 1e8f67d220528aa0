//! Calls that leave the house: deliveries to addresses that others chose, and calls to a service that is configured.
//!
//! [`OutboundClient`] is for the first. Whoever names a URL could name our own network, so every address is judged before
//! a connection is opened, and it is the judged address that is connected to: there is no second look-up that could answer
//! differently. Redirects are never followed and no proxy is used. [`upstream_client`] is for the second and trusts its URL.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, StatusCode, header};
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_pki_types::CertificateDer;
use url::{Host, Url};

use crate::http::error::chain;
use crate::tls::{self, Identity, TlsError};

/// How much of a response is kept.
pub const SNIPPET_BYTES_MAX: usize = 2048;

/// Headers that belong to the connection; callers cannot set them.
const CONNECTION_HEADERS: [HeaderName; 6] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::HOST, header::TRANSFER_ENCODING, header::UPGRADE, header::TE];

/// Why an address is not on the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// 127.0.0.0/8, ::1.
    Loopback,
    /// RFC 1918.
    Private,
    /// fc00::/7.
    UniqueLocal,
    /// 100.64.0.0/10, carrier-grade NAT.
    Shared,
    /// 169.254.0.0/16, fe80::/10, fec0::/10: neighbours, and the metadata service of clouds.
    LinkLocal,
    /// 0.0.0.0/8, ::.
    Unspecified,
    /// 224.0.0.0/4, ff00::/8.
    Multicast,
    /// Reserved for documentation.
    Documentation,
    /// Reserved for benchmarks.
    Benchmark,
    /// An address that carries an IPv4 address in a way that is not routed on its own: 6to4, Teredo, IPv4-compatible, local NAT64.
    Tunnel,
    /// A host service of a cloud on an address that looks public.
    PlatformService,
    /// Anything else without public meaning.
    Reserved,
}

impl AddressClass {
    /// Whether `allow_private` opens it. The others have no legitimate receiver behind them.
    fn is_private(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::UniqueLocal | Self::Shared)
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::UniqueLocal => "unique local",
            Self::Shared => "shared (carrier-grade NAT)",
            Self::LinkLocal => "link-local",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::Benchmark => "benchmark",
            Self::Tunnel => "tunnel",
            Self::PlatformService => "platform service",
            Self::Reserved => "reserved",
        })
    }
}

/// The class of an address that is not public; `None` for public ones. An IPv4 address inside an IPv6 one (mapped, NAT64, ISATAP)
/// is judged by what it stands for.
pub fn address_class(address: IpAddr) -> Option<AddressClass> {
    match address {
        IpAddr::V4(address) => v4_class(address),
        IpAddr::V6(address) => v6_class(address),
    }
}

fn v4_class(address: Ipv4Addr) -> Option<AddressClass> {
    use AddressClass::*;
    match address.octets() {
        [0, ..] => Some(Unspecified),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Private),
        [100, 64..=127, ..] => Some(Shared),
        [127, ..] => Some(Loopback),
        [169, 254, ..] => Some(LinkLocal),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some(Documentation),
        [192, 0, 0, _] => Some(Reserved),
        [192, 88, 99, _] => Some(Tunnel),
        [198, 18..=19, ..] => Some(Benchmark),
        [168, 63, 129, 16] => Some(PlatformService),
        [224..=239, ..] => Some(Multicast),
        [240..=255, ..] => Some(Reserved),
        _ => None,
    }
}

fn v6_class(address: Ipv6Addr) -> Option<AddressClass> {
    use AddressClass::*;
    let segments = address.segments();
    let embedded = {
        let [.., a, b, c, d] = address.octets();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Loopback),
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4_class(embedded),
        [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] | [0x2002, ..] | [0x2001, 0, ..] => Some(Tunnel),
        [0x2001, 2, 0, ..] => Some(Benchmark),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Some(Documentation),
        [0x2001, 0..=0x01ff, ..] => Some(Reserved),
        [0xfc00..=0xfdff, ..] => Some(UniqueLocal),
        [0xfe80..=0xfeff, ..] => Some(LinkLocal),
        [0xff00..=0xffff, ..] => Some(Multicast),
        [0x2000..=0x3fff, _, _, _, 0 | 0x200, 0x5efe, ..] => v4_class(embedded),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Reserved),
    }
}

/// Finds the addresses of a name. Replaced in tests.
pub trait ResolveHost: Send + Sync + 'static {
    /// All addresses of `host`.
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl ResolveHost for SystemResolver {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// What deliveries may reach, and how long they may take.
#[derive(Clone)]
pub struct OutboundConfig {
    /// Opens loopback, private, unique local and shared addresses. For development and closed networks. Link-local addresses,
    /// where clouds keep their metadata, stay closed.
    pub allow_private: bool,
    /// Allows `http` beside `https`.
    pub allow_http: bool,
    /// Names, in lower case, that may resolve to any address.
    pub allowed_hosts: Vec<String>,
    /// Networks that are open although they are not public.
    pub allowed_networks: Vec<IpNet>,
    /// From the beginning of the call to the last byte that is read.
    pub timeout: Duration,
    /// For opening the connection, look-up and TLS included.
    pub connect_timeout: Duration,
    /// The `user-agent` header.
    pub user_agent: String,
    /// Trusted beside the public roots.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Finds addresses.
    pub resolver: Arc<dyn ResolveHost>,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow_private: false,
            allow_http: false,
            allowed_hosts: Vec::new(),
            allowed_networks: Vec::new(),
            // Ours: undocumented (fact sheet 01 §10.3).
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            user_agent: concat!("kontor/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_roots: Vec::new(),
            resolver: Arc::new(SystemResolver),
        }
    }
}

/// Why a URL is not called at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a URL with a host.
    #[error("not an absolute URL with a host")]
    NotAUrl,
    /// Neither `https` nor, where allowed, `http`.
    #[error("scheme {0:?} is not allowed")]
    Scheme(String),
    /// User name or password in the URL.
    #[error("credentials in the URL are not allowed")]
    Credentials,
    /// The host is, or resolves only to, addresses that are not public.
    #[error("{address} is a {class} address")]
    Address {
        /// The (first) address.
        address: IpAddr,
        /// What it is.
        class: AddressClass,
    },
}

/// Why a delivery has no response.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The URL is not one that we call; trying again changes nothing, unless the name's addresses change.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Took longer than it may.
    #[error("no response in time")]
    Timeout,
    /// The name has no address.
    #[error("the name does not resolve: {0}")]
    Resolve(String),
    /// Nobody listens, or the way there is blocked.
    #[error("connecting failed: {0}")]
    Connect(String),
    /// The other side's certificate or TLS is not acceptable.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The connection broke, or what came was not HTTP.
    #[error("the exchange failed: {0}")]
    Exchange(String),
}

/// A response to a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundResponse {
    /// Any status, redirects included.
    pub status: StatusCode,
    /// The beginning of the body, at most [`SNIPPET_BYTES_MAX`], unreadable bytes and NULs replaced.
    pub body_snippet: String,
    /// From the beginning of the call to the last byte that was read.
    pub duration: Duration,
}

/// Delivers to URLs that others chose. Cheap to clone.
#[derive(Clone)]
pub struct OutboundClient {
    client: reqwest::Client,
    guard: Arc<Guard>,
    allow_http: bool,
}

impl OutboundClient {
    /// Builds the client.
    ///
    /// # Errors
    /// Roots or a user agent that are not usable.
    pub fn new(config: OutboundConfig) -> Result<Self, ClientError> {
        let guard = Arc::new(Guard {
            allow_private: config.allow_private,
            allowed_hosts: config.allowed_hosts,
            allowed_networks: config.allowed_networks,
            resolver: config.resolver,
        });
        let tls = tls::client_config(&config.extra_roots, None, &[b"h2", b"http/1.1"]).map_err(ClientError::Tls)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(GuardedResolver(Arc::clone(&guard)))
            // A proxy would resolve names itself, behind the guard's back.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .timeout(config.timeout)
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(4)
            .tcp_nodelay(true)
            .user_agent(config.user_agent)
            .build()
            .map_err(ClientError::Build)?;
        Ok(Self { client, guard, allow_http: config.allow_http })
    }

    /// Judges a URL without calling it; for refusing it when it is registered. Names are judged when they are called.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn check_url(&self, url: &str) -> Result<Url, Refusal> {
        // The URL standard's parser turns every disguise of an address (decimal, octal, hex, short forms) into the address.
        let url = Url::parse(url).map_err(|_| Refusal::NotAUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            other => return Err(Refusal::Scheme(other.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        match url.host().ok_or(Refusal::NotAUrl)? {
            Host::Ipv4(address) => self.guard.check(IpAddr::V4(address))?,
            Host::Ipv6(address) => self.guard.check(IpAddr::V6(address))?,
            Host::Domain(_) => {}
        }
        Ok(url)
    }

    /// Sends one POST. `headers` may hold anything but what belongs to the connection.
    ///
    /// # Errors
    /// See [`OutboundError`]. A status that is not a success is a response, not an error.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Bytes) -> Result<OutboundResponse, OutboundError> {
        let started = Instant::now();
        let url = self.check_url(url).map_err(OutboundError::Refused)?;
        let mut headers = headers;
        for name in &CONNECTION_HEADERS {
            headers.remove(name);
        }
        let mut response =
            self.client.post(url).headers(headers).body(body).send().await.map_err(|error| classify(&error))?;
        let mut snippet = Vec::new();
        // The status has arrived; a body that breaks off afterwards does not take it back.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = SNIPPET_BYTES_MAX - snippet.len();
            snippet.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if snippet.len() == SNIPPET_BYTES_MAX {
                break;
            }
        }
        Ok(OutboundResponse {
            status: response.status(),
            body_snippet: readable(&snippet),
            duration: started.elapsed(),
        })
    }
}

/// Text that any database stores: PostgreSQL refuses NUL, and a replacement is longer than the byte it replaces.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(SNIPPET_BYTES_MAX));
    text
}

struct Guard {
    allow_private: bool,
    allowed_hosts: Vec<String>,
    allowed_networks: Vec<IpNet>,
    resolver: Arc<dyn ResolveHost>,
}

impl Guard {
    fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        let Some(class) = address_class(address) else {
            return Ok(());
        };
        // A mapped address is the IPv4 address.
        let plain = address.to_canonical();
        if (self.allow_private && class.is_private()) || self.allowed_networks.iter().any(|net| net.contains(&plain)) {
            return Ok(());
        }
        Err(Refusal::Address { address, class })
    }
}

/// Resolves once, and hands on only addresses that passed.
struct GuardedResolver(Arc<Guard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
            let found = guard.resolver.resolve(name.as_str()).await.map_err(|source| Unresolved(source.to_string()))?;
            if found.is_empty() {
                return Err(Unresolved("no address".to_owned()).into());
            }
            let is_allowed = guard.allowed_hosts.contains(&host);
            let mut refusal = None;
            let mut passed = Vec::with_capacity(found.len());
            for address in found {
                match guard.check(address) {
                    Err(reason) if !is_allowed => refusal = refusal.or(Some(reason)),
                    _ => passed.push(SocketAddr::new(address, 0)),
                }
            }
            match refusal {
                Some(refusal) if passed.is_empty() => Err(refusal.into()),
                _ => Ok(Box::new(passed.into_iter()) as Addrs),
            }
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unresolved(String);

fn classify(error: &reqwest::Error) -> OutboundError {
    if let Some(refusal) = find::<Refusal>(error) {
        return OutboundError::Refused(refusal.clone());
    }
    if error.is_timeout() {
        return OutboundError::Timeout;
    }
    if let Some(unresolved) = find::<Unresolved>(error) {
        return OutboundError::Resolve(unresolved.0.clone());
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return OutboundError::Tls(tls.to_string());
    }
    // The URL is known to whoever asks, and may hold a secret in its query.
    let cause = error.source().map_or_else(|| "without a cause".to_owned(), chain);
    if error.is_connect() { OutboundError::Connect(cause) } else { OutboundError::Exchange(cause) }
}

/// Looks for an error in a chain, inside of `io::Error` as well, which hides what it wraps.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        let inside = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inside {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS material is not usable.
    #[error("preparing TLS for the client")]
    Tls(#[source] TlsError),
    /// Another setting is not usable.
    #[error("building the client")]
    Build(#[source] reqwest::Error),
}

/// How to call a configured service.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// For opening the connection.
    pub connect_timeout: Duration,
    /// For the whole call. Ours: above the 59 s after which the network itself gives up (fact sheet 01 §7).
    pub timeout: Duration,
    /// Trusted beside the public roots.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Shown when the service asks for a certificate.
    pub identity: Option<Identity>,
    /// Idle connections kept.
    pub pool_idle_max: usize,
    /// Idle connections are closed after this. Ours: before servers do, which keep them for a minute or longer.
    pub pool_idle_timeout: Duration,
    /// The `user-agent` header.
    pub user_agent: String,
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(65),
            extra_roots: Vec::new(),
            identity: None,
            pool_idle_max: 256,
            pool_idle_timeout: Duration::from_secs(50),
            user_agent: concat!("kontor/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A client for a service whose URL is configured and trusted: HTTP/1.1 with kept connections, no redirects, no retries of its
/// own, no proxy from the environment.
///
/// # Errors
/// Settings that are not usable.
pub fn upstream_client(config: UpstreamConfig) -> Result<reqwest::Client, ClientError> {
    let tls = tls::client_config(&config.extra_roots, config.identity, &[b"http/1.1"]).map_err(ClientError::Tls)?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(config.connect_timeout)
        .timeout(config.timeout)
        .pool_max_idle_per_host(config.pool_idle_max)
        .pool_idle_timeout(config.pool_idle_timeout)
        .tcp_nodelay(true)
        .user_agent(config.user_agent)
        .build()
        .map_err(ClientError::Build)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(change: impl FnOnce(&mut OutboundConfig)) -> OutboundClient {
        let mut config = OutboundConfig::default();
        change(&mut config);
        OutboundClient::new(config).unwrap()
    }

    #[test]
    fn every_disguise_of_a_closed_address_is_refused() {
        let guarded = client(|config| config.allow_http = true);
        let cases = [
            ("127.0.0.1", AddressClass::Loopback),
            ("127.1", AddressClass::Loopback),
            ("127.0.0.1.", AddressClass::Loopback),
            ("2130706433", AddressClass::Loopback),
            ("0x7f000001", AddressClass::Loopback),
            ("0X7f.0.0.1", AddressClass::Loopback),
            ("0177.0.0.01", AddressClass::Loopback),
            ("017700000001", AddressClass::Loopback),
            ("%31%32%37.0.0.1", AddressClass::Loopback),
            ("\u{ff11}\u{ff12}\u{ff17}.\u{ff10}.\u{ff10}.\u{ff11}", AddressClass::Loopback),
            ("\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}", AddressClass::Loopback),
            ("127\u{3002}0\u{3002}0\u{3002}1", AddressClass::Loopback),
            ("[::1]", AddressClass::Loopback),
            ("[0:0:0:0:0:0:0:1]", AddressClass::Loopback),
            ("[::ffff:127.0.0.1]", AddressClass::Loopback),
            ("[::ffff:7f00:1]", AddressClass::Loopback),
            ("[64:ff9b::127.0.0.1]", AddressClass::Loopback),
            ("[64:ff9b::a9fe:a9fe]", AddressClass::LinkLocal),
            ("[64:ff9b:1::1]", AddressClass::Tunnel),
            ("[2002:7f00:1::]", AddressClass::Tunnel),
            ("[2002:808:808::]", AddressClass::Tunnel),
            ("[2001:0:808:808::1]", AddressClass::Tunnel),
            ("[::127.0.0.1]", AddressClass::Tunnel),
            ("[::8.8.8.8]", AddressClass::Tunnel),
            ("[2a00:1450::5efe:10.0.0.1]", AddressClass::Private),
            ("10.0.0.1", AddressClass::Private),
            ("172.16.0.1", AddressClass::Private),
            ("172.31.255.255", AddressClass::Private),
            ("192.168.1.1", AddressClass::Private),
            ("3232235777", AddressClass::Private),
            ("100.64.0.1", AddressClass::Shared),
            ("100.100.100.200", AddressClass::Shared),
            ("169.254.169.254", AddressClass::LinkLocal),
            ("0xa9fea9fe", AddressClass::LinkLocal),
            ("[fe80::1]", AddressClass::LinkLocal),
            ("[fec0::1]", AddressClass::LinkLocal),
            ("[fc00::1]", AddressClass::UniqueLocal),
            ("[fd00:ec2::254]", AddressClass::UniqueLocal),
            ("0.0.0.0", AddressClass::Unspecified),
            ("0", AddressClass::Unspecified),
            ("[::]", AddressClass::Unspecified),
            ("224.0.0.1", AddressClass::Multicast),
            ("[ff02::1]", AddressClass::Multicast),
            ("255.255.255.255", AddressClass::Reserved),
            ("240.0.0.1", AddressClass::Reserved),
            ("192.0.0.192", AddressClass::Reserved),
            ("192.0.2.1", AddressClass::Documentation),
            ("198.51.100.1", AddressClass::Documentation),
            ("203.0.113.1", AddressClass::Documentation),
            ("[2001:db8::1]", AddressClass::Documentation),
            ("[3fff::1]", AddressClass::Documentation),
            ("198.18.0.1", AddressClass::Benchmark),
            ("[2001:2::1]", AddressClass::Benchmark),
            ("192.88.99.1", AddressClass::Tunnel),
            ("168.63.129.16", AddressClass::PlatformService),
            ("[100::1]", AddressClass::Reserved),
            ("[4000::1]", AddressClass::Reserved),
            ("[::ffff:0:7f00:1]", AddressClass::Reserved),
        ];
        for (host, expected) in cases {
            for scheme in ["http", "https"] {
                match guarded.check_url(&format!("{scheme}://{host}:8080/hook")) {
                    Err(Refusal::Address { class, .. }) => assert_eq!(class, expected, "{host}"),
                    other => panic!("{host}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_snippet_is_text_of_bounded_length_whatever_came() {
        assert_eq!(readable(b"ok\0\xff"), "ok\u{fffd}\u{fffd}");
        assert!(readable(&[0xff; SNIPPET_BYTES_MAX]).len() <= SNIPPET_BYTES_MAX);
        assert_eq!(readable(&[b'x'; SNIPPET_BYTES_MAX]).len(), SNIPPET_BYTES_MAX);
    }

    #[test]
    fn public_addresses_and_names_pass_the_first_look() {
        let guarded = client(|_| {});
        for host in
            ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "[2a00:1450::1]", "[64:ff9b::8.8.8.8]", "a.test"]
        {
            assert!(guarded.check_url(&format!("https://{host}/")).is_ok(), "{host}");
        }
    }

    #[test]
    fn only_https_without_credentials_is_called() {
        let guarded = client(|_| {});
        let refused = |url: &str| guarded.check_url(url).unwrap_err();
        assert_eq!(refused("http://a.test/"), Refusal::Scheme("http".to_owned()));
        assert_eq!(refused("ftp://a.test/"), Refusal::Scheme("ftp".to_owned()));
        assert_eq!(refused("file:///etc/passwd"), Refusal::Scheme("file".to_owned()));
        assert_eq!(refused("https://user@a.test/"), Refusal::Credentials);
        assert_eq!(refused("https://:pw@a.test/"), Refusal::Credentials);
        assert_eq!(refused("/relative"), Refusal::NotAUrl);
        assert_eq!(refused("https://"), Refusal::NotAUrl);
    }

    #[test]
    fn what_is_allowed_opens_no_more_than_it_says() {
        let private = client(|config| config.allow_private = true);
        for host in ["127.0.0.1", "10.0.0.1", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]"] {
            assert!(private.check_url(&format!("https://{host}/")).is_ok(), "{host}");
        }
        for host in ["169.254.169.254", "[fe80::1]", "0.0.0.0", "224.0.0.1", "[2002:7f00:1::]"] {
            assert!(private.check_url(&format!("https://{host}/")).is_err(), "{host}");
        }
        let network = client(|config| config.allowed_networks = vec!["10.1.0.0/16".parse().unwrap()]);
        assert!(network.check_url("https://10.1.2.3/").is_ok());
        assert!(network.check_url("https://[::ffff:10.1.2.3]/").is_ok());
        assert!(network.check_url("https://10.2.0.1/").is_err());
    }
}
