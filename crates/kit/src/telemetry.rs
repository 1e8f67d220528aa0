//! Logs: for people on a terminal, JSON lines otherwise, always on stderr. And wrappers that keep secrets out of them.

use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use http::HeaderMap;
use tracing_subscriber::filter::{FilterExt, FilterFn, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Human on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One coloured line per event.
    Human,
    /// One JSON object per line.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            other => Err(format!("{other:?} is not a log format; use auto, human or json")),
        }
    }
}

/// Installs logging for the process. `filter` is in the syntax of tracing's filters (`info,kit::http=debug`); parts that cannot
/// be read are reported and skipped. Panics become log lines, too. Does nothing if logging is installed already. Returns whether this call installed it.
pub fn init(format: Format, filter: &str) -> bool {
    let on_terminal = std::io::stderr().is_terminal();
    let human = match format {
        Format::Auto => on_terminal,
        Format::Human => true,
        Format::Json => false,
    };
    let colours = on_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let installed = Registry::default().with(lines(human, colours, filter, std::io::stderr)).try_init().is_ok();
    if installed {
        std::panic::set_hook(Box::new(log_panic));
    }
    installed
}

/// One line in the log's own format, in place of the text that the runtime would print between the lines.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("without a message");
    let thread = std::thread::current();
    tracing::error!(thread = thread.name(), panic.message = message, "panic at {location}");
}

/// The layer that [`init`] installs, writing anywhere.
fn lines<W>(human: bool, colours: bool, filter: &str, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        .parse_lossy(filter)
        .and(FilterFn::new(keeps_to_itself).with_max_level_hint(LevelFilter::TRACE));
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    if human {
        layer.with_ansi(colours).with_target(false).with_filter(filter).boxed()
    } else {
        layer.json().flatten_event(true).with_current_span(true).with_span_list(false).with_filter(filter).boxed()
    }
}

/// Libraries that write headers, bodies or statement parameters into their finer logs, whatever filter was asked for.
const TALKATIVE: [&str; 8] =
    ["h2", "hyper", "hyper_util", "postgres", "reqwest", "rustls", "tokio_postgres", "tokio_rustls"];

/// Everything of ours, and of the libraries above nothing finer than `info`.
fn keeps_to_itself(metadata: &tracing::Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= tracing::Level::INFO || !TALKATIVE.contains(&library)
}

/// Shows a placeholder instead of its content in Debug and Display.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Redacted<T>(pub T);

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Headers for a log line: every name, but values only of those that are known to be harmless.
pub struct RedactedHeaders<'a>(pub &'a HeaderMap);

/// Anything else may be a credential, a token or customer data.
const HARMLESS_HEADERS: [&str; 8] =
    ["accept", "accept-encoding", "connection", "content-length", "content-type", "date", "host", "user-agent"];

impl fmt::Debug for RedactedHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.0 {
            if HARMLESS_HEADERS.contains(&name.as_str()) {
                map.entry(&name.as_str(), value);
            } else {
                map.entry(&name.as_str(), &Redacted(()));
            }
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use secrecy::{ExposeSecret, SecretString};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(human: bool, filter: &str, events: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = Registry::default().with(lines(human, false, filter, move || writer.clone()));
        tracing::subscriber::with_default(subscriber, events);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn secrets_never_reach_either_output() {
        #[derive(Debug)]
        struct Settings {
            #[expect(dead_code, reason = "read through Debug only")]
            api_key: SecretString,
            #[expect(dead_code, reason = "read through Debug only")]
            password: Redacted<String>,
        }
        let api_key = SecretString::from("s3cr3t-api-key");
        let mut headers = HeaderMap::new();
        headers.insert("authorization", api_key.expose_secret().parse().unwrap());
        headers.insert("x-custom-token", "s3cr3t-header".parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        let settings = Settings { api_key, password: Redacted("s3cr3t-password".to_owned()) };
        for human in [true, false] {
            let output = logged(human, "trace", || {
                let _span = tracing::info_span!("outer", ?settings).entered();
                tracing::info!(?settings, headers = ?RedactedHeaders(&headers), "settings {settings:?}");
            });
            assert!(!output.contains("s3cr3t"), "{output}");
            assert!(output.contains("application/json") && output.contains("x-custom-token"), "{output}");
        }
    }

    #[test]
    fn machines_get_one_json_object_per_line_with_the_span() {
        let output = logged(false, "info", || {
            let _span = tracing::info_span!("request", request.id = "r1").entered();
            tracing::info!(attempt = 2, "first");
            tracing::debug!("not wanted");
            tracing::warn!("second");
        });
        let parsed: Vec<serde_json::Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed.len(), 2);
        assert_eq!(parsed[0]["message"], "first");
        assert_eq!(parsed[0]["attempt"], 2);
        assert_eq!(parsed[1]["span"]["request.id"], "r1");
    }

    #[test]
    fn libraries_that_would_show_traffic_are_kept_quiet_even_when_all_is_asked_for() {
        let output = logged(false, "trace", || {
            tracing::debug!(target: "h2::codec::framed_write", "authorization: s3cr3t");
            tracing::trace!(target: "tokio_postgres::query", "parameters: s3cr3t");
            tracing::debug!(target: "kit::http", "ours");
            tracing::warn!(target: "rustls::server", "theirs, but important");
        });
        assert!(!output.contains("s3cr3t"), "{output}");
        assert!(output.contains("ours") && output.contains("important"), "{output}");
    }

    #[test]
    fn a_filter_still_filters() {
        let output = logged(true, "warn,kit::http=debug", || {
            tracing::info!(target: "kit::jobs", "dropped");
            tracing::debug!(target: "kit::http", "kept");
        });
        assert!(output.contains("kept") && !output.contains("dropped"), "{output}");
    }

    #[test]
    fn installing_twice_is_harmless() {
        init(Format::Json, "off");
        assert!(!init(Format::Human, "((("));
    }
}
