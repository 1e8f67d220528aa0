//! The listener and its stack, seen from outside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::routing::{get, post};
use futures_util::StreamExt;
use http::StatusCode;
use kit::http::health::{self, Readiness};
use kit::http::{ApiError, JsonBody, PeerAddr, RequestId, ServeConfig, Server, StackConfig, stack};
use kit::shutdown::Shutdown;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const LIMIT: usize = 1024 * 1024;
/// Longer than anything here takes; reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    addr: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Running {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

async fn serve(router: Router, stack_config: StackConfig, serve_config: ServeConfig) -> Running {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), serve_config).await.unwrap();
    let (addr, shutdown) = (server.local_addr(), Shutdown::new());
    let task = tokio::spawn(server.run(stack(router, stack_config), shutdown.clone()));
    Running { addr, shutdown, task }
}

async fn serve_plainly(router: Router) -> Running {
    serve(router, StackConfig::default(), ServeConfig::default()).await
}

fn client() -> reqwest::Client {
    kit::outbound::upstream_client(Default::default()).unwrap()
}

fn router() -> Router {
    async fn panics() -> StatusCode {
        panic!("secret detail")
    }
    async fn fails() -> ApiError {
        ApiError::internal(std::io::Error::other("secret detail"))
    }
    #[derive(serde::Deserialize)]
    struct Page {
        size: u32,
    }
    Router::new()
        .route("/echo", post(|body: JsonBody| async move { body.bytes }))
        .route("/bytes", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/large", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/panics", get(panics))
        .route("/fails", get(fails))
        .route("/page", get(|page: Query<Page>| async move { page.size.to_string() }))
        .route("/bare", get(|| async { StatusCode::CONFLICT }))
        .route("/items/{id}", get(|id: RequestId| async move { id.0.to_string() }).delete(|| async {}))
        .route("/peer", get(|peer: axum::Extension<PeerAddr>| async move { peer.0.0.ip().to_string() }))
}

/// Asserts the shape, and returns the body.
async fn error(response: reqwest::Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status().as_u16(), status);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("x-request-id"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error_code"], code, "{body}");
    body["error_id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    assert!(!body["error_message"].as_str().unwrap().is_empty());
    assert!(!body.to_string().contains("secret detail"));
    body
}

/// Sends bytes as they are, and returns all that comes back before the connection closes.
async fn raw(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server closes").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn bodies_up_to_the_limit_pass_and_one_byte_more_is_413() {
    let server = serve_plainly(router()).await;
    let send = |size: usize| client().post(server.url("/bytes")).body(vec![b'x'; size]).send();
    let response = send(LIMIT).await.unwrap();
    assert_eq!(response.text().await.unwrap(), LIMIT.to_string());
    for size in [LIMIT + 1, 3 * LIMIT] {
        error(send(size).await.unwrap(), 413, "VALIDATION_ERROR").await;
    }
}

#[tokio::test]
async fn bodies_of_undeclared_length_are_held_to_the_limit_too() {
    let server = serve_plainly(router()).await;
    let send = |path: &str, size: usize| {
        let body = Bytes::from(vec![b'x'; size]);
        let starts: Vec<usize> = (0..size).step_by(64 * 1024).collect();
        let chunks = futures_util::stream::iter(starts)
            .map(move |start| Ok::<_, std::io::Error>(body.slice(start..size.min(start + 64 * 1024))));
        client()
            .post(server.url(path))
            .header("content-type", "application/json")
            .body(reqwest::Body::wrap_stream(chunks))
            .send()
    };
    assert_eq!(send("/bytes", LIMIT).await.unwrap().text().await.unwrap(), LIMIT.to_string());
    for path in ["/bytes", "/echo"] {
        error(send(path, LIMIT + 1).await.unwrap(), 413, "VALIDATION_ERROR").await;
    }
}

#[tokio::test]
async fn a_small_content_length_beside_chunks_does_not_hide_a_large_body() {
    let server = serve_plainly(router()).await;
    let mut request =
        b"POST /bytes HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            .to_vec();
    let size = LIMIT + 1;
    request.extend_from_slice(format!("{size:x}\r\n").as_bytes());
    request.resize(request.len() + size, b'x');
    request.extend_from_slice(b"\r\n0\r\n\r\n");
    let answer = raw(server.addr, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") || answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_route_may_take_larger_bodies_than_the_others() {
    let config = StackConfig::default().body_limit_for("/large", 3 * LIMIT);
    let server = serve(router(), config, ServeConfig::default()).await;
    let response = client().post(server.url("/large")).body(vec![b'x'; 3 * LIMIT]).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), (3 * LIMIT).to_string());
    let response = client().post(server.url("/large")).body(vec![b'x'; 3 * LIMIT + 1]).send().await.unwrap();
    error(response, 413, "VALIDATION_ERROR").await;
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_refused_before_it_sends() {
    let server = serve_plainly(router()).await;
    let head =
        format!("POST /bytes HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n", LIMIT + 1);
    let answer = raw(server.addr, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("VALIDATION_ERROR"), "{answer}");
}

#[tokio::test]
async fn oversize_headers_are_431_in_our_shape() {
    let server = serve_plainly(router()).await;
    let one = |bytes: usize| client().get(server.url("/items/1")).header("x-a", "v".repeat(bytes - 3)).send();
    assert_eq!(one(6 * 1024).await.unwrap().status(), 200);
    let body = error(one(6 * 1024 + 1).await.unwrap(), 431, "VALIDATION_ERROR").await;
    assert!(body["error_message"].as_str().unwrap().contains("x-a"));

    let mut many = client().get(server.url("/items/1"));
    for number in 0..5 {
        many = many.header(format!("x-{number}"), "v".repeat(5000));
    }
    error(many.send().await.unwrap(), 431, "VALIDATION_ERROR").await;
}

#[tokio::test]
async fn a_wrong_content_type_and_broken_json_are_told_apart_by_their_message() {
    let server = serve_plainly(router()).await;
    let send = |content_type: &'static str, body: &'static str| {
        client().post(server.url("/echo")).header("content-type", content_type).body(body).send()
    };
    assert_eq!(send("application/json", "{}").await.unwrap().text().await.unwrap(), "{}");
    let wrong = error(send("text/xml", "{}").await.unwrap(), 400, "INVALID_CONTENT_TYPE").await;
    assert!(wrong["error_message"].as_str().unwrap().contains("text/xml"));
    let broken = error(send("application/json", "{\"a\":").await.unwrap(), 400, "INVALID_CONTENT_TYPE").await;
    assert!(broken["error_message"].as_str().unwrap().contains("line 1 column 5"));
}

#[tokio::test]
async fn a_panic_is_a_500_with_an_error_id_and_the_connection_lives_on() {
    let server = serve_plainly(router()).await;
    let client = client();
    let body = error(client.get(server.url("/panics")).send().await.unwrap(), 500, "INTERNAL_ERROR").await;
    assert_eq!(body["error_type"], "TECHNICAL_ERROR");
    assert_eq!(client.get(server.url("/peer")).send().await.unwrap().text().await.unwrap(), "127.0.0.1");
}

#[tokio::test]
async fn an_internal_error_shows_its_id_and_no_cause() {
    let server = serve_plainly(router()).await;
    error(client().get(server.url("/fails")).send().await.unwrap(), 500, "INTERNAL_ERROR").await;
}

#[tokio::test]
async fn unknown_routes_and_methods_are_answered_in_our_shape() {
    let server = serve_plainly(router()).await;
    let body = error(client().get(server.url("/nowhere")).send().await.unwrap(), 404, "NOT_FOUND").await;
    assert_eq!(body["error_type"], "RESOURCE_ERROR");
    let response = client().post(server.url("/items/1")).send().await.unwrap();
    let allow = response.headers()["allow"].to_str().unwrap().to_owned();
    let body = error(response, 405, "NOT_FOUND").await;
    assert_eq!(body["error_type"], "RESOURCE_ERROR");
    assert!(allow.contains("GET") && allow.contains("DELETE"), "{allow}");
}

#[tokio::test]
async fn refusals_of_the_framework_are_brought_into_our_shape() {
    let server = serve_plainly(router()).await;
    let body = error(client().get(server.url("/page?size=x")).send().await.unwrap(), 400, "VALIDATION_ERROR").await;
    assert!(body["error_message"].as_str().unwrap().contains("size"), "{body}");
    error(client().get(server.url("/bare")).send().await.unwrap(), 409, "RESOURCE_CONFLICT").await;
}

#[tokio::test]
async fn the_request_id_is_ours_under_a_name_that_is_configured() {
    let config = StackConfig { request_id_header: "a-correlation-id".parse().unwrap(), ..StackConfig::default() };
    let server = serve(router(), config, ServeConfig::default()).await;
    let forged = uuid::Uuid::new_v4().to_string();
    let response = client().get(server.url("/items/1")).header("a-correlation-id", &forged).send().await.unwrap();
    let id = response.headers()["a-correlation-id"].to_str().unwrap().to_owned();
    assert_ne!(id, forged);
    assert_eq!(response.text().await.unwrap(), id);
}

#[tokio::test]
async fn a_handler_beyond_its_deadline_is_a_500_timeout() {
    let slow = Router::new().route("/slow", get(std::future::pending::<()>));
    let config = StackConfig { request_timeout: Duration::from_millis(50), ..StackConfig::default() };
    let server = serve(slow, config, ServeConfig::default()).await;
    let body = error(client().get(server.url("/slow")).send().await.unwrap(), 500, "TIMEOUT").await;
    assert_eq!(body["error_type"], "TECHNICAL_ERROR");
}

#[tokio::test]
async fn a_body_that_never_ends_meets_the_deadline() {
    let config = StackConfig { request_timeout: Duration::from_millis(50), ..StackConfig::default() };
    let server = serve(router(), config, ServeConfig::default()).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream
        .write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{")
        .await
        .unwrap();
    let mut head = [0; 12];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 500");
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_closed_and_busy_ones_are_not() {
    let gate = Arc::new(Notify::new());
    let inside = Arc::clone(&gate);
    let waits = Router::new().route(
        "/waits",
        get(move || async move {
            inside.notified().await;
            "done"
        }),
    );
    let config = ServeConfig {
        header_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_millis(200),
        ..ServeConfig::default()
    };
    let server = serve(waits, StackConfig::default(), config).await;

    let busy = tokio::spawn(client().get(server.url("/waits")).send());
    assert_eq!(raw(server.addr, b"GET / HTTP/1.1\r\nhost:").await, "");
    assert_eq!(raw(server.addr, b"").await, "");
    let answer = raw(server.addr, b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    // By now the busy connection is older than both limits.
    gate.notify_one();
    assert_eq!(busy.await.unwrap().unwrap().text().await.unwrap(), "done");
}

#[tokio::test]
async fn shutdown_finishes_what_is_in_flight_and_accepts_nothing_new() {
    let (entered, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (entered_inside, gate_inside) = (Arc::clone(&entered), Arc::clone(&gate));
    let waits = Router::new().route(
        "/waits",
        get(move || async move {
            entered_inside.notify_one();
            gate_inside.notified().await;
            "finished"
        }),
    );
    let server = serve_plainly(waits).await;
    let idle = TcpStream::connect(server.addr).await.unwrap();
    let in_flight = tokio::spawn(client().get(server.url("/waits")).send());
    entered.notified().await;
    server.shutdown.trigger();
    let refused = async {
        while TcpStream::connect(server.addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("the listener closes");
    gate.notify_one();
    assert_eq!(in_flight.await.unwrap().unwrap().text().await.unwrap(), "finished");
    tokio::time::timeout(PATIENCE, server.task).await.expect("an idle connection does not hold it").unwrap();
    drop(idle);
}

#[tokio::test]
async fn shutdown_drops_what_outlives_the_grace_period() {
    let entered = Arc::new(Notify::new());
    let inside = Arc::clone(&entered);
    let hangs = Router::new().route(
        "/hangs",
        get(move || async move {
            inside.notify_one();
            std::future::pending::<()>().await;
        }),
    );
    let config = ServeConfig { grace: Duration::from_millis(50), ..ServeConfig::default() };
    let server = serve(hangs, StackConfig::default(), config).await;
    let in_flight = tokio::spawn(client().get(server.url("/hangs")).send());
    entered.notified().await;
    let began = Instant::now();
    server.shutdown.trigger();
    tokio::time::timeout(PATIENCE, server.task).await.expect("grace ends").unwrap();
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert!(in_flight.await.unwrap().is_err());
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_their_turn() {
    let config = ServeConfig { connections_max: 1, ..ServeConfig::default() };
    let server = serve(router(), StackConfig::default(), config).await;
    let mut first = TcpStream::connect(server.addr).await.unwrap();
    first.write_all(b"GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    first.read_exact(&mut head).await.unwrap();
    let mut second = TcpStream::connect(server.addr).await.unwrap();
    second.write_all(b"GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut head)).await.is_err());
    drop(first);
    tokio::time::timeout(PATIENCE, second.read_exact(&mut head)).await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
}

#[tokio::test]
async fn http2_without_tls_is_understood() {
    let server = serve_plainly(router()).await;
    kit::tls::install_crypto_provider();
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let response = client.get(server.url("/peer")).send().await.unwrap();
    assert_eq!((response.version(), response.status()), (http::Version::HTTP_2, StatusCode::OK));
    let refused = client.get(server.url("/peer")).header("x-a", "v".repeat(30_000)).send().await.unwrap();
    error(refused, 431, "VALIDATION_ERROR").await;
}

#[tokio::test]
async fn readiness_names_the_checks_that_fail_and_liveness_does_not_care() {
    let readiness = Readiness::new()
        .check("database", || async { Ok(()) })
        .check("queue", || async { Err("secret detail".into()) });
    let server = serve_plainly(health::routes(readiness)).await;
    assert_eq!(client().get(server.url("/healthz")).send().await.unwrap().status(), 200);
    let response = client().get(server.url("/readyz")).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body, serde_json::json!({"status": "not ready", "failing": ["queue"]}));

    let server = serve_plainly(health::routes(Readiness::new())).await;
    assert_eq!(client().get(server.url("/readyz")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn metrics_count_by_route_template() {
    health::install_metrics().unwrap();
    let counted = Router::new().route("/counted/{id}", get(|| async {})).merge(health::routes(Readiness::new()));
    let server = serve_plainly(counted).await;
    for id in 0..3 {
        client().get(server.url(&format!("/counted/{id}"))).send().await.unwrap();
    }
    let text = client().get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    let line = r#"http_requests_total{route="/counted/{id}",method="GET",status="200"} 3"#;
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains(r#"http_request_duration_seconds_bucket{route="/counted/{id}",method="GET",le="60"} 3"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_taken_address_is_named_in_the_error() {
    let server = serve_plainly(router()).await;
    let taken = Server::bind(server.addr, ServeConfig::default()).await.err().unwrap();
    assert!(taken.to_string().contains(&server.addr.to_string()));
}

#[tokio::test]
async fn a_response_may_stream_longer_than_the_idle_limit() {
    let streams = Router::new().route(
        "/streams",
        get(|| async {
            let ticks = futures_util::stream::unfold(0, |n| async move {
                if n == 6 {
                    return None;
                }
                tokio::time::sleep(Duration::from_millis(60)).await;
                Some((Ok::<_, std::io::Error>(format!("{n}")), n + 1))
            });
            Body::from_stream(ticks)
        }),
    );
    let config = ServeConfig { idle_timeout: Duration::from_millis(100), ..ServeConfig::default() };
    let server = serve(streams, StackConfig::default(), config).await;
    assert_eq!(client().get(server.url("/streams")).send().await.unwrap().text().await.unwrap(), "012345");
}

/// A place for log lines.
#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_names_the_template_and_the_error_and_never_the_path_or_the_credentials() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let server = serve_plainly(router()).await;
    let send = |path: &str| client().get(server.url(path)).bearer_auth("s3cr3t-key").send();
    send("/items/s3cr3t-id?token=s3cr3t-query").await.unwrap();
    let failed: Value = send("/fails").await.unwrap().json().await.unwrap();
    drop(guard);
    let bytes = lines.0.lock().unwrap().clone();
    let logged: Vec<Value> = String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        // What the HTTP client and its libraries say about the URL they were given is not ours.
        .filter(|line| line["target"].as_str().unwrap().starts_with("kit::"))
        .collect();
    let text = serde_json::to_string(&logged).unwrap();
    assert!(!text.contains("s3cr3t"), "{text}");
    let access = logged.iter().find(|line| line["fields"]["message"] == "GET /items/{id} answered 200").unwrap();
    assert_eq!(access["level"], "DEBUG");
    assert_eq!(access["span"]["http.route"], "/items/{id}");
    let causes: Vec<&Value> = logged.iter().filter(|line| text_of(line, "error.chain") == "secret detail").collect();
    assert_eq!(causes.len(), 1, "an error is logged once: {text}");
    assert_eq!(causes[0]["level"], "ERROR");
    assert_eq!(causes[0]["fields"]["error.id"], failed["error_id"]);
    assert!(
        logged.iter().any(|line| line["fields"]["message"] == "GET /fails answered 500" && line["level"] == "INFO")
    );
}

fn text_of<'a>(line: &'a Value, field: &str) -> &'a str {
    line["fields"][field].as_str().unwrap_or_default()
}
