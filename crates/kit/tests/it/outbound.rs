//! Deliveries to addresses that others chose.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use axum::routing::post;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use kit::http::{ServeConfig, Server, ServerTls, StackConfig, stack};
use kit::outbound::{
    AddressClass, OutboundClient, OutboundConfig, OutboundError, Refusal, ResolveHost, SNIPPET_BYTES_MAX,
};
use kit::shutdown::Shutdown;

/// Each name answers its addresses one after the other, and the last one for ever.
#[derive(Default)]
struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    lookups: AtomicUsize,
}

impl Names {
    fn with(entries: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let parse = |addresses: &&[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
        let answers =
            entries.iter().map(|(name, answers)| ((*name).to_owned(), answers.iter().map(parse).collect())).collect();
        Arc::new(Self { answers: Mutex::new(answers), lookups: AtomicUsize::new(0) })
    }
}

impl ResolveHost for Names {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let mut all = self.answers.lock().unwrap();
        let answer = match all.get_mut(host) {
            Some(answers) if answers.len() > 1 => Ok(answers.remove(0)),
            Some(answers) => Ok(answers[0].clone()),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
        };
        Box::pin(async move { answer })
    }
}

struct Receiver {
    addr: SocketAddr,
    calls: Arc<AtomicUsize>,
}

async fn receiver(tls: Option<ServerTls>) -> Receiver {
    receiver_at("127.0.0.1:0", tls).await
}

async fn receiver_at(addr: &str, tls: Option<ServerTls>) -> Receiver {
    let calls = Arc::new(AtomicUsize::new(0));
    let (counted, redirected) = (Arc::clone(&calls), Arc::clone(&calls));
    let endless = || async {
        let chunks = futures_util::stream::repeat(Bytes::from_static(&[b'x'; 1000])).map(Ok::<_, io::Error>);
        Body::from_stream(chunks)
    };
    let router = Router::new()
        .route(
            "/hook",
            post(move |headers: HeaderMap, body: Bytes| async move {
                counted.fetch_add(1, Ordering::Relaxed);
                let header = |name: &str| headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
                (StatusCode::ACCEPTED, format!("{} {} {}", header("x-signature"), header("user-agent"), body.len()))
            }),
        )
        .route(
            "/redirect",
            post(move || async move {
                redirected.fetch_add(1, Ordering::Relaxed);
                Redirect::temporary("/hook")
            }),
        )
        .route("/endless", post(endless))
        .route("/hangs", post(std::future::pending::<()>));
    let server = Server::bind(addr.parse().unwrap(), ServeConfig { tls, ..ServeConfig::default() }).await.unwrap();
    let addr = server.local_addr();
    tokio::spawn(server.run(stack(router, StackConfig::default()), Shutdown::new()));
    Receiver { addr, calls }
}

fn client(names: Arc<Names>, change: impl FnOnce(&mut OutboundConfig)) -> OutboundClient {
    let mut config = OutboundConfig { allow_http: true, resolver: names, ..OutboundConfig::default() };
    change(&mut config);
    OutboundClient::new(config).unwrap()
}

fn body() -> Bytes {
    Bytes::from_static(b"{}")
}

#[tokio::test]
async fn a_delivery_carries_its_headers_and_keeps_what_came_back() {
    let receiver = receiver(None).await;
    let client = client(Names::with(&[]), |config| config.allow_private = true);
    let mut headers = HeaderMap::new();
    headers.insert("x-signature", "abc".parse().unwrap());
    headers.insert("host", "elsewhere.test".parse().unwrap());
    headers.insert("content-length", "9999".parse().unwrap());
    let response = client.post(&format!("http://{}/hook", receiver.addr), headers, body()).await.unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert!(response.body_snippet.starts_with("abc kontor/"), "{}", response.body_snippet);
    assert!(response.body_snippet.ends_with(" 2"));
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_nobody_is_called() {
    let receiver = receiver(None).await;
    let names = Names::with(&[
        ("loop.test", &[&["127.0.0.1"]]),
        ("six.test", &[&["::1"]]),
        ("mapped.test", &[&["::ffff:127.0.0.1"]]),
        ("nat64.test", &[&["64:ff9b::7f00:1"]]),
        ("cloud.test", &[&["169.254.169.254"]]),
        ("zero.test", &[&["0.0.0.0"]]),
    ]);
    let client = client(names, |_| {});
    for (name, expected) in [
        ("loop.test", AddressClass::Loopback),
        ("six.test", AddressClass::Loopback),
        ("mapped.test", AddressClass::Loopback),
        ("nat64.test", AddressClass::Loopback),
        ("cloud.test", AddressClass::LinkLocal),
        ("zero.test", AddressClass::Unspecified),
    ] {
        let url = format!("http://{name}:{}/hook", receiver.addr.port());
        match client.post(&url, HeaderMap::new(), body()).await {
            Err(OutboundError::Refused(Refusal::Address { class, .. })) => assert_eq!(class, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(receiver.calls.load(Ordering::Relaxed), 0);
}

/// 127.0.0.2 stands for an open address, 127.0.0.1 for one of ours: so that the test talks to nobody outside.
fn only_the_second_loopback(config: &mut OutboundConfig) {
    config.allowed_networks = vec!["127.0.0.2/32".parse().unwrap()];
}

#[tokio::test]
async fn a_name_that_changes_its_answer_never_leads_inside() {
    let inside = receiver(None).await;
    // Open at the first look, ours at every later one: a guard that looks once, and a connector that looks again, would
    // meet the receiver.
    let names = Names::with(&[("rebind.test", &[&["127.0.0.2"], &["127.0.0.1"]])]);
    let client = client(Arc::clone(&names), only_the_second_loopback);
    let url = format!("http://rebind.test:{}/hook", inside.addr.port());
    let first = client.post(&url, HeaderMap::new(), body()).await.unwrap_err();
    assert!(matches!(first, OutboundError::Connect(_)), "{first:?}");
    assert_eq!(names.lookups.load(Ordering::Relaxed), 1);
    let second = client.post(&url, HeaderMap::new(), body()).await.unwrap_err();
    assert!(matches!(second, OutboundError::Refused(_)), "{second:?}");
    assert_eq!(inside.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_that_is_called() {
    let outside = receiver_at("127.0.0.2:0", None).await;
    let names = Names::with(&[("rebind.test", &[&["127.0.0.2"], &["127.0.0.1"]])]);
    let client = client(Arc::clone(&names), only_the_second_loopback);
    let url = format!("http://rebind.test:{}/hook", outside.addr.port());
    assert!(client.post(&url, HeaderMap::new(), body()).await.is_ok());
    assert_eq!(names.lookups.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn of_mixed_answers_only_the_open_ones_are_tried() {
    let inside = receiver(None).await;
    let names = Names::with(&[("mixed.test", &[&["127.0.0.1", "127.0.0.2"]])]);
    let client = client(names, only_the_second_loopback);
    let url = format!("http://mixed.test:{}/hook", inside.addr.port());
    let error = client.post(&url, HeaderMap::new(), body()).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect(_)), "{error:?}");
    assert_eq!(inside.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn literal_addresses_are_refused_without_a_look_up() {
    let receiver = receiver(None).await;
    let names = Names::with(&[]);
    let client = client(Arc::clone(&names), |_| {});
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/hook", receiver.addr.port());
        let error = client.post(&url, HeaderMap::new(), body()).await.unwrap_err();
        assert!(matches!(error, OutboundError::Refused(Refusal::Address { .. })), "{host}: {error:?}");
    }
    assert_eq!(names.lookups.load(Ordering::Relaxed), 0);
    assert_eq!(receiver.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_redirect_is_a_response_and_is_not_followed() {
    let receiver = receiver(None).await;
    let client = client(Names::with(&[]), |config| config.allow_private = true);
    let url = format!("http://{}/redirect", receiver.addr);
    let response = client.post(&url, HeaderMap::new(), body()).await.unwrap();
    assert_eq!(response.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(receiver.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn allowed_names_and_networks_open_what_they_say() {
    let receiver = receiver(None).await;
    let names = Names::with(&[("hook.test", &[&["127.0.0.1"]]), ("other.test", &[&["127.0.0.1"]])]);
    let by_name = client(Arc::clone(&names), |config| config.allowed_hosts = vec!["hook.test".to_owned()]);
    let port = receiver.addr.port();
    assert!(by_name.post(&format!("http://HOOK.test:{port}/hook"), HeaderMap::new(), body()).await.is_ok());
    assert!(by_name.post(&format!("http://other.test:{port}/hook"), HeaderMap::new(), body()).await.is_err());
    let by_network = client(names, |config| config.allowed_networks = vec!["127.0.0.0/8".parse().unwrap()]);
    assert!(by_network.post(&format!("http://other.test:{port}/hook"), HeaderMap::new(), body()).await.is_ok());
}

#[tokio::test]
async fn an_endless_body_is_cut_and_a_silent_receiver_times_out() {
    let receiver = receiver(None).await;
    let client = client(Names::with(&[]), |config| {
        config.allow_private = true;
        config.timeout = Duration::from_millis(500);
    });
    let response = client.post(&format!("http://{}/endless", receiver.addr), HeaderMap::new(), body()).await.unwrap();
    assert_eq!(response.body_snippet.len(), SNIPPET_BYTES_MAX);
    let error = client.post(&format!("http://{}/hangs", receiver.addr), HeaderMap::new(), body()).await.unwrap_err();
    assert!(matches!(error, OutboundError::Timeout), "{error:?}");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = client(Names::with(&[]), |config| config.allow_private = true);
    let post = |url: String| {
        let client = client.clone();
        async move { client.post(&url, HeaderMap::new(), body()).await.unwrap_err() }
    };
    let error = post(format!("http://{closed}/")).await;
    assert!(matches!(error, OutboundError::Connect(_)), "{error:?}");
    let error = post("http://unknown.test/".to_owned()).await;
    assert!(matches!(error, OutboundError::Resolve(_)), "{error:?}");
    let plain = receiver(None).await;
    let error = post(format!("https://{}/hook", plain.addr)).await;
    assert!(matches!(error, OutboundError::Tls(_)), "{error:?}");
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_fit_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let dev = kit::tls::dev_tls(dir.path(), &["hook.test".to_owned()]).unwrap();
    let roots = kit::tls::certificates(&std::fs::read(&dev.ca_path).unwrap(), "ca").unwrap();
    let receiver = receiver(Some(ServerTls {
        identity: dev.identity,
        client_certificates: Default::default(),
        unasked_names: Vec::new(),
    }))
    .await;
    let names = Names::with(&[("hook.test", &[&["127.0.0.1"]]), ("foreign.test", &[&["127.0.0.1"]])]);
    let trusting = client(Arc::clone(&names), |config| {
        config.allow_private = true;
        config.extra_roots = roots;
    });
    let url = |name: &str| format!("https://{name}:{}/hook", receiver.addr.port());
    assert_eq!(trusting.post(&url("hook.test"), HeaderMap::new(), body()).await.unwrap().status, StatusCode::ACCEPTED);
    let error = trusting.post(&url("foreign.test"), HeaderMap::new(), body()).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls(_)), "{error:?}");
    let wary = client(names, |config| config.allow_private = true);
    let error = wary.post(&url("hook.test"), HeaderMap::new(), body()).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls(_)), "{error:?}");
}
