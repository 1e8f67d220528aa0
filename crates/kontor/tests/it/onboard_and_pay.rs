//! A client that knows web standards only: `docs/onboard-and-pay.sh` (curl, openssl, jq), against the network end as a process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the script calls.
const PROGRAMS: [&str; 5] = ["bash", "curl", "openssl", "jq", "python3"];

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn started(folder: &Path) -> (Running, PathBuf) {
    let (address, credentials) = (folder.join("address"), folder.join("credentials.json"));
    let child = Command::new(env!("CARGO_BIN_EXE_kontor"))
        .args(["network", "--listen", "127.0.0.1:0", "--local-webhooks", "--log", "warn"])
        .args(["--data-dir".as_ref(), folder.as_os_str()])
        .args(["--address-file".as_ref(), address.as_os_str()])
        .args(["--credentials-file".as_ref(), credentials.as_os_str()])
        .spawn();
    let running = Running(child.unwrap());
    let patience = Instant::now() + Duration::from_secs(60);
    while !address.exists() {
        assert!(Instant::now() < patience, "the network end does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    (running, credentials)
}

#[test]
fn a_partner_is_onboarded_and_paid_with_curl_alone() {
    if let Some(missing) = PROGRAMS.into_iter().find(|program| !is_there(program)) {
        eprintln!("skipped: needs {missing}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_running, credentials) = started(folder.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/onboard-and-pay.sh");
    for time in ["first", "second"] {
        let output = Command::new("bash").arg(&script).arg(&credentials).output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.ends_with("done\n"), "{time} run:\n{said}\n{complained}");
    }
}
