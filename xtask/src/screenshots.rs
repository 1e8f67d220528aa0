//! `cargo xtask screenshots`: pages as people see them, for people to look at.
//!
//! The window of a headless Chromium is never narrower than 500 pixels, so a phone's width has to be asked for over the
//! DevTools protocol. Chromium speaks it over two inherited pipes (`--remote-debugging-pipe`), one JSON text after the
//! other, each ended by a zero byte.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use serde_json::{Value, json};

use crate::packages;

/// What pages are looked at: name, width and height in pixels, whether it is a phone.
const SCREENS: [(&str, u32, u32, bool); 2] = [("desktop", 1280, 800, false), ("phone", 390, 844, true)];

/// A page that has not loaded by then will not.
const ANSWER_MAX: Duration = Duration::from_secs(30);

const SCHEMES: [&str; 2] = ["light", "dark"];

/// `URL... [--out FOLDER]`. Fails when a page cannot be loaded, complains, or is wider than the screen.
pub fn run(root: &Path, args: &[String]) -> Result<ExitCode> {
    let mut urls = Vec::new();
    let mut folder = root.join("target/screenshots");
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--out" => folder = PathBuf::from(args.next().context("--out needs a folder")?),
            option if option.starts_with('-') => bail!("`screenshots` knows --out FOLDER, but got `{option}`"),
            url => urls.push(url),
        }
    }
    if urls.is_empty() {
        bail!("which pages? `cargo xtask screenshots http://127.0.0.1:4020/`");
    }
    std::fs::create_dir_all(&folder)?;
    let mut browser = Browser::start()?;
    let mut complaints = 0;
    for url in urls {
        for (screen, width, height, phone) in SCREENS {
            for scheme in SCHEMES {
                let picture = browser.photograph(url, (width, height, phone), scheme)?;
                let file = folder.join(format!("{}-{screen}-{scheme}.png", file_stem(url)));
                std::fs::write(&file, &picture.png)?;
                println!("{}", file.display());
                for complaint in &picture.complaints {
                    println!("  {complaint}");
                }
                complaints += picture.complaints.len();
            }
        }
    }
    Ok(if complaints == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `http://127.0.0.1:4020/cart?id=1` becomes `4020-cart-id-1`.
fn file_stem(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let local = rest.trim_start_matches("127.0.0.1:").trim_start_matches("localhost:");
    let words = local.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    // File systems stop at 255 bytes; a token in the path may be longer.
    words.collect::<Vec<_>>().join("-").chars().take(120).collect()
}

struct Picture {
    png: Vec<u8>,
    complaints: Vec<String>,
}

/// A Chromium of our own, with its own profile; dropping it ends it.
struct Browser {
    process: Child,
    commands: ChildStdin,
    answers: Receiver<Vec<u8>>,
    /// The folder of its profile.
    profile: PathBuf,
    last_id: u64,
    /// The page, once there is one.
    session: Option<String>,
    /// What came between answers.
    events: Vec<Value>,
}

impl Browser {
    fn start() -> Result<Self> {
        let program = packages::chromium()?;
        let profile = std::env::temp_dir().join(format!("kontor-screenshots-{}", std::process::id()));
        // The shell only moves our two pipes to where Chromium looks for them.
        let mut process = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"])
            .args(["--ignore-certificate-errors", "--no-first-run"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting Chromium")?;
        let commands = process.stdin.take().context("stdin is piped")?;
        let answers = receive(process.stdout.take().context("stdout is piped")?);
        Ok(Self { process, commands, answers, profile, last_id: 0, session: None, events: Vec::new() })
    }

    fn photograph(&mut self, url: &str, screen: (u32, u32, bool), scheme: &str) -> Result<Picture> {
        let target = self.ask("Target.createTarget", json!({"url": "about:blank"}))?["targetId"].clone();
        let attached = self.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}))?;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        self.events.clear();
        let picture = self.photograph_page(url, screen, scheme);
        self.session = None;
        self.ask("Target.closeTarget", json!({"targetId": target}))?;
        picture
    }

    fn photograph_page(&mut self, url: &str, screen: (u32, u32, bool), scheme: &str) -> Result<Picture> {
        let (width, height, phone) = screen;
        for domain in ["Page.enable", "Log.enable", "Runtime.enable"] {
            self.ask(domain, json!({}))?;
        }
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.ask("Emulation.setDeviceMetricsOverride", metrics)?;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", media)?;
        let navigated = self.ask("Page.navigate", json!({"url": url}))?;
        if let Some(error) = navigated["errorText"].as_str() {
            bail!("{url}: {error}");
        }
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let message = self.read()?;
            self.events.push(message);
        }
        // Two frames after loading, what modules changed at once has been drawn.
        let drawn = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))";
        self.ask("Runtime.evaluate", json!({"expression": drawn, "awaitPromise": true}))?;

        let size = &self.ask("Page.getLayoutMetrics", json!({}))?["cssContentSize"];
        let (full_width, full_height) = (size["width"].as_u64().unwrap_or(0), size["height"].as_u64().unwrap_or(0));
        let clip = json!({"x": 0, "y": 0, "width": width, "height": full_height.max(u64::from(height)), "scale": 1});
        let shot = self.ask("Page.captureScreenshot", json!({"captureBeyondViewport": true, "clip": clip}))?;
        let png = base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap_or_default())?;

        let mut complaints: Vec<String> = self.events.iter().filter_map(complaint).collect();
        if full_width > u64::from(width) {
            complaints.push(format!("the page is {full_width} pixels wide, the screen {width}"));
        }
        Ok(Picture { png, complaints })
    }

    /// Sends a command and waits for its answer; what else arrives is kept as events.
    fn ask(&mut self, method: &str, params: Value) -> Result<Value> {
        self.last_id += 1;
        let mut command = json!({"id": self.last_id, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands.write_all(command.to_string().as_bytes())?;
        self.commands.write_all(&[0])?;
        self.commands.flush()?;
        loop {
            let mut message = self.read().with_context(|| format!("waiting for the answer to {method}"))?;
            if message["id"] != self.last_id {
                self.events.push(message);
            } else if message["error"].is_null() {
                return Ok(message["result"].take());
            } else {
                bail!("{method}: {}", message["error"]["message"]);
            }
        }
    }

    fn read(&mut self) -> Result<Value> {
        let text = self.answers.recv_timeout(ANSWER_MAX).context("Chromium ended, or stayed silent for too long")?;
        Ok(serde_json::from_slice(&text)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // An error means that it has gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Takes Chromium's texts off the pipe, on a thread of its own, so that waiting for one can have an end.
fn receive(pipe: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for text in BufReader::new(pipe).split(0) {
            let Ok(text) = text else { break };
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    receiver
}

/// An error that the page raised: a failed request, a refused script or style, an exception.
fn complaint(event: &Value) -> Option<String> {
    match event["method"].as_str()? {
        "Log.entryAdded" => {
            let entry = &event["params"]["entry"];
            // Browsers ask for the icon unasked.
            let icon = entry["url"].as_str().is_some_and(|url| url.ends_with("/favicon.ico"));
            (entry["level"] == "error" && !icon).then(|| format!("{} ({})", entry["text"], entry["url"]))
        }
        "Runtime.exceptionThrown" => Some(event["params"]["exceptionDetails"]["exception"]["description"].to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_come_from_urls_and_stay_short() {
        assert_eq!(file_stem("http://127.0.0.1:4020/cart?id=1"), "4020-cart-id-1");
        assert_eq!(file_stem("https://shop.example/"), "shop-example");
        assert_eq!(file_stem(&format!("http://localhost:1/{}", "a".repeat(400))).len(), 120);
    }

    #[test]
    fn errors_are_complaints_and_a_missing_icon_is_none() {
        let entry = |level: &str, url: &str| json!({"method": "Log.entryAdded", "params": {"entry": {"level": level, "text": "refused", "url": url}}});
        assert!(complaint(&entry("error", "http://a/style.css")).is_some());
        assert!(complaint(&entry("warning", "http://a/style.css")).is_none());
        assert!(complaint(&entry("error", "http://a/favicon.ico")).is_none());
        assert!(complaint(&json!({"method": "Page.loadEventFired"})).is_none());
    }
}
