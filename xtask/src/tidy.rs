//! The rules of the repository that the compiler cannot check, as an ordinary check and as a test.
//!
//! Each rule answers a sentence of CONTRIBUTING.md. A rule that stands in the way is changed here, with a reason,
//! not circumvented.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::rust_source::RustSource;

/// What each package may use of our own: arrows point down only, and the two ends meet on the wire.
const OWN_DEPENDENCIES: [(&str, &[&str]); 8] = [
    ("protocol", &[]),
    ("kit", &[]),
    ("sftp", &[]),
    ("network", &["protocol", "kit", "sftp"]),
    ("gateway", &["protocol", "kit", "sftp"]),
    ("conformance", &["protocol", "kit"]),
    ("kontor", &["protocol", "kit", "sftp", "network", "gateway", "conformance"]),
    ("xtask", &[]),
];

/// Longer than this, a file has more than one reason to change.
const LINES_MAX: usize = 900;

/// Files that may be longer, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "misc", "manager", "stuff"];

/// Folders without our own sources.
const FOREIGN_FOLDERS: [&str; 4] = ["target", "node_modules", ".git", ".kontor"];

/// Reading time, chance or the environment makes code that a test cannot repeat.
const IMPURE_CALLS: [(&str, &str); 13] = [
    ("SystemTime::now", "wall clock"),
    ("Timestamp::now", "wall clock"),
    ("Zoned::now", "wall clock"),
    ("Instant::now", "wall clock"),
    ("Uuid::new_v4", "random source"),
    ("Uuid::now_v7", "random source"),
    ("rand::rng", "random source"),
    ("rand::random", "random source"),
    ("thread_rng", "random source"),
    ("OsRng", "random source"),
    ("env::var", "environment"),
    ("env::args", "environment"),
    ("env::temp_dir", "environment"),
];

/// Packages that may: the machinery, the binary, and the chores.
const MAY_BE_IMPURE: [&str; 3] = ["kit", "kontor", "xtask"];

/// The trade's words. The machinery serves any trade, so none of them stands in its code.
const DOMAIN_WORDS: [&str; 6] = ["klarna", "partner", "payment", "merchant", "shopper", "refund"];

/// What makes code know a market or a currency. The gateway passes on what it is told, so that a new market needs no release (GLO-2).
const MARKET_WORDS: [&str; 7] = [
    "Market::",
    "markets()",
    "settlement_currencies",
    "Currency::EUR",
    "Currency::GBP",
    "Currency::SEK",
    "Currency::USD",
];

/// Files of the gateway that look at the markets of this release all the same, each with its reason.
const MARKET_GUESSES: [(&str, &str); 1] = [(
    "crates/gateway/src/checkout/hosted.rs",
    "guesses where a customer is, for the language of what is shown, when neither order nor address says so; a market that it lacks is \
     left to the browser",
)];

/// What does I/O. The language of the network is words only.
const IO_PACKAGES: [&str; 8] =
    ["tokio", "reqwest", "axum", "hyper", "rusqlite", "tokio-postgres", "rustls", "tracing-subscriber"];

/// A breach of a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// `cargo xtask tidy`: prints every breach, fails if there is one.
pub fn run(root: &Path) -> Result<ExitCode> {
    let (files, findings) = check(root)?;
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {files} files, {} findings", findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks at every file of the repository; returns how many there were, and the breaches.
fn check(root: &Path) -> Result<(usize, Vec<Finding>)> {
    let mut paths = Vec::new();
    collect(root, &mut paths)?;
    let mut findings = Vec::new();
    let mut migrations: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in &paths {
        let relative = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let place = Place::of(&relative);
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        findings.extend(check_file(&place, &text));
        if place.extension == "sql" {
            migrations.entry(place.folder.to_owned()).or_default().push(place.name.to_owned());
        }
    }
    for (folder, names) in migrations {
        findings.extend(check_migration_numbers(&folder, names));
    }
    findings.sort();
    Ok((paths.len(), findings))
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let kind = entry.file_type()?;
        if kind.is_dir() && !FOREIGN_FOLDERS.iter().any(|foreign| name == *foreign) {
            collect(&entry.path(), paths)?;
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}

/// What a file's path says about it.
struct Place<'a> {
    path: &'a str,
    folder: &'a str,
    /// File name with extension.
    name: &'a str,
    /// File name without extension.
    stem: &'a str,
    extension: &'a str,
    /// The package's folder name: `kit` of `crates/kit/src/clock.rs`.
    package: &'a str,
    /// Tests and benchmarks as a whole.
    is_test: bool,
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Self {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let package = path.strip_prefix("crates/").unwrap_or(path).split('/').next().unwrap_or_default();
        let is_test = folder.split('/').any(|part| part == "tests" || part == "benches") || name == "tests.rs";
        Self { path, folder, name, stem, extension, package, is_test }
    }

    fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.to_owned(), line, message: message.into() }
    }
}

fn check_file(place: &Place<'_>, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(check_length(place, text));
    match place.extension {
        "rs" => {
            findings.extend(check_rust_name(place));
            findings.extend(check_rust(place, text));
        }
        "sql" => findings.extend(check_migration(place, text)),
        "toml" if place.name == "Cargo.toml" => findings.extend(check_manifest(place, text)),
        _ => {}
    }
    findings
}

fn check_length(place: &Place<'_>, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    let limited = matches!(place.extension, "rs" | "css" | "js" | "sql");
    let allowed = LONG_FILES.iter().any(|(path, _)| *path == place.path);
    (limited && lines > LINES_MAX && !allowed).then(|| {
        place.finding(LINES_MAX + 1, format!("{lines} lines; split the file at {LINES_MAX}, or list it with a reason"))
    })
}

fn check_rust_name(place: &Place<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !plain(place.stem) {
        findings.push(place.finding(1, "file names are snake_case"));
    }
    let parent = place.folder.rsplit('/').next().unwrap_or_default();
    for name in [place.stem, parent] {
        if EMPTY_NAMES.contains(&name) {
            findings.push(place.finding(1, format!("`{name}` says nothing: name the module after what it is about")));
        }
    }
    findings
}

fn check_rust(place: &Place<'_>, text: &str) -> Vec<Finding> {
    let source = RustSource::parse(text);
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        for placeholder in ["todo!", "unimplemented!", "dbg!"] {
            if has_word(line, placeholder) {
                findings.push(place.finding(number, format!("`{placeholder}` is left over")));
            }
        }
    }
    if place.is_test {
        return findings;
    }
    // testing.rs is what a crate offers to tests: it says why a test was passed over.
    let speaks = matches!(place.package, "kontor" | "xtask") || matches!(place.name, "build.rs" | "testing.rs");
    for (number, line) in source.product_lines() {
        if line.contains(".unwrap()") {
            findings.push(place.finding(number, "`.unwrap()` outside tests: `?`, or `expect` that says why not"));
        }
        if place.name != "pages.rs" && has_word(line, "html!") {
            findings.push(place.finding(number, "HTML belongs in pages.rs"));
        }
        if !speaks && ["println!", "eprintln!", "print!"].iter().any(|word| has_word(line, word)) {
            findings.push(place.finding(number, "libraries speak through tracing, not on standard output"));
        }
        if !MAY_BE_IMPURE.contains(&place.package) {
            let calls = IMPURE_CALLS.iter().filter(|(call, _)| has_word(line, call));
            findings.extend(calls.map(|(call, what)| {
                place.finding(number, format!("`{call}`: {what} outside kit and the binary; take it from the context"))
            }));
        }
    }
    let may_guess = MARKET_GUESSES.iter().any(|(path, _)| *path == place.path);
    if place.package == "gateway" && !may_guess {
        for (number, line) in source.product_lines() {
            let words = MARKET_WORDS.iter().filter(|word| has_word(line, word));
            findings.extend(words.map(|word| place.finding(number, format!("the gateway knows no market: `{word}`"))));
        }
    }
    if place.package == "kit" {
        for (number, text) in source.product_lines().chain(source.product_literals()) {
            let text = text.to_lowercase();
            let words = DOMAIN_WORDS.iter().filter(|word| text.contains(**word));
            findings.extend(words.map(|word| place.finding(number, format!("kit knows no domain word: `{word}`"))));
        }
    }
    // The database's own room speaks SQL, and so does what makes databases for tests.
    let is_the_database = place.package == "kit" && (place.path.contains("/src/db/") || place.name == "testing.rs");
    let may_hold_sql = matches!(place.name, "store.rs" | "dialect.rs") || is_the_database || place.package == "xtask";
    if !may_hold_sql {
        let statements = source.product_literals().filter(|(_, literal)| is_sql(literal));
        findings.extend(statements.map(|(number, _)| place.finding(number, "SQL belongs in store.rs")));
    }
    findings
}

/// Whether a line contains the word, not as the end of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(begin, _)| {
        let before = line[..begin].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Whether a text is an SQL statement rather than a sentence that begins with the same word.
fn is_sql(literal: &str) -> bool {
    let words: Vec<String> = literal.split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["select", rest @ ..] => rest.contains(&"from"),
        ["insert", "into" | "or", ..] | ["delete", "from", ..] => true,
        ["update", _, "set", ..] => true,
        ["with", _, "as", ..] => words.contains(&"select"),
        ["create" | "drop" | "alter", "table" | "index" | "unique" | "view", ..] => true,
        _ => false,
    }
}

/// `0007_dispute_evidence.sql`, beginning with a comment that says why.
fn check_migration(place: &Place<'_>, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if migration_number(place.name).is_none() {
        findings.push(place.finding(1, "migrations are named like 0007_dispute_evidence.sql"));
    }
    if !text.trim_start().starts_with("--") {
        findings.push(place.finding(1, "a migration begins with a comment that says why"));
    }
    findings
}

fn migration_number(name: &str) -> Option<u32> {
    let (number, words) = name.strip_suffix(".sql")?.split_once('_')?;
    let plain = words.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (number.len() == 4 && !words.is_empty() && plain).then(|| number.parse().ok()).flatten()
}

/// A number stands for one migration, so that two branches cannot both add "the next one" unnoticed. Gaps are fine:
/// capabilities keep ranges of their own.
fn check_migration_numbers(folder: &str, mut names: Vec<String>) -> Vec<Finding> {
    names.sort();
    let repeated = |pair: &&[String]| migration_number(&pair[0]).is_some_and(|n| Some(n) == migration_number(&pair[1]));
    names
        .windows(2)
        .filter(repeated)
        .map(|pair| Finding {
            path: format!("{folder}/{}", pair[1]),
            line: 1,
            message: format!("{} has the same number", pair[0]),
        })
        .collect()
}

fn check_manifest(place: &Place<'_>, text: &str) -> Vec<Finding> {
    let entries = manifest_entries(text);
    let has = |section: &str, key: &str, value: &str| {
        entries.iter().any(|entry| entry.section == section && entry.key == key && entry.value == value)
    };
    let mut findings = Vec::new();
    if place.folder.is_empty() {
        if !has("workspace.package", "license", "\"Apache-2.0\"") {
            findings.push(place.finding(1, "the workspace's license is Apache-2.0"));
        }
        return findings;
    }
    if !has("package", "license.workspace", "true") {
        findings.push(place.finding(1, "license.workspace = true is missing"));
    }
    if !has("lints", "workspace", "true") {
        findings.push(place.finding(1, "[lints] workspace = true is missing"));
    }
    let Some((_, allowed)) = OWN_DEPENDENCIES.iter().find(|(name, _)| *name == place.package) else {
        findings.push(place.finding(1, "say in OWN_DEPENDENCIES of xtask's tidy.rs what this package may use"));
        return findings;
    };
    for entry in &entries {
        // In tests, too, the ends meet on the wire only; `[target.….dependencies]` counts like the plain section.
        if !entry.section.ends_with("dependencies") {
            continue;
        }
        let name = entry.key.split('.').next().unwrap_or_default();
        let own = OWN_DEPENDENCIES.iter().any(|(own, _)| *own == name);
        if own && !allowed.contains(&name) {
            findings.push(place.finding(entry.line, format!("`{}` never depends on `{name}`", place.package)));
        }
        if place.package == "protocol" && IO_PACKAGES.contains(&name) {
            findings.push(place.finding(entry.line, format!("`protocol` does no I/O, `{name}` does")));
        }
        if name == "anyhow" && entry.section == "dependencies" && !matches!(place.package, "kontor" | "xtask") {
            findings.push(place.finding(entry.line, "libraries have error types of their own; anyhow is for programs"));
        }
    }
    findings
}

struct ManifestEntry<'a> {
    section: &'a str,
    key: &'a str,
    value: &'a str,
    line: usize,
}

/// The `key = value` lines of a manifest. Our manifests have one entry per line, and that is all this reads.
fn manifest_entries(text: &str) -> Vec<ManifestEntry<'_>> {
    let mut section = "";
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            section = header.split(']').next().unwrap_or_default();
        } else if let Some((key, value)) = line.split_once('=')
            && !line.starts_with('#')
        {
            entries.push(ManifestEntry { section, key: key.trim(), value: value.trim(), line: index + 1 });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        check_file(&Place::of(path), text).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[track_caller]
    fn assert_found(path: &str, text: &str, part: &str) {
        let found = messages(path, text);
        assert!(found.iter().any(|message| message.contains(part)), "{part:?} not in {found:?}");
    }

    #[track_caller]
    fn assert_clean(path: &str, text: &str) {
        assert_eq!(messages(path, text), [""; 0]);
    }

    #[test]
    fn the_repository_keeps_its_rules() {
        let (files, findings) = check(&crate::root().unwrap()).unwrap();
        assert!(files > 10, "the walk found only {files} files");
        let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "\n{}\n", list.join("\n"));
    }

    #[test]
    fn sql_stands_in_stores_only() {
        let text = "const Q: &str = \"select id\n from payments where id = $1\";";
        assert_found("crates/gateway/src/payments/api.rs", text, "SQL belongs in store.rs");
        assert_clean("crates/gateway/src/payments/store.rs", text);
        assert_found("crates/kit/src/jobs/mod.rs", "const Q: &str = \"delete from jobs\";", "SQL belongs in store.rs");
        assert_clean("crates/kit/src/db/mod.rs", "const Q: &str = \"delete from jobs\";");
        assert_clean("crates/gateway/tests/it/books.rs", text);
        assert_clean("crates/gateway/src/payments/api.rs", "const S: &str = \"Select a plan\"; // select 1 from t");
    }

    #[test]
    fn leftovers_are_found_in_code_not_in_words() {
        assert_found("crates/kit/src/a.rs", "fn f() { todo!() }", "`todo!` is left over");
        assert_found("crates/kit/tests/it/main.rs", "fn f() { dbg!(1); }", "`dbg!` is left over");
        assert_clean("crates/kit/src/a.rs", "// todo!\nconst A: &str = \"dbg!\";");
    }

    #[test]
    fn unwrap_is_for_tests() {
        assert_found("crates/kit/src/a.rs", "fn f() { a().unwrap(); }", ".unwrap()");
        assert_clean("crates/kit/src/a.rs", "#[cfg(test)]\nmod tests {\n fn f() { a().unwrap(); }\n}");
    }

    #[test]
    fn the_gateway_knows_no_market() {
        let text = "fn f(c: Currency) -> bool { c == Currency::EUR || protocol::Market::by_country(\"SE\").is_some() }";
        for word in ["Currency::EUR", "Market::"] {
            assert_found("crates/gateway/src/payments/body.rs", text, word);
        }
        assert_clean("crates/network/src/payments/api.rs", text);
        assert_clean("crates/gateway/src/payments/body.rs", "fn f(text: &str) { text.parse::<Currency>() }");
    }

    #[test]
    fn html_stands_in_pages() {
        assert_found("crates/network/src/journey/api.rs", "fn f() { html! { p { } } }", "pages.rs");
        assert_clean("crates/network/src/journey/pages.rs", "fn f() { html! { p { } } }");
    }

    #[test]
    fn time_chance_and_environment_come_from_the_context() {
        let text = "fn f() { let t = jiff::Timestamp::now(); let v = std::env::var(\"A\"); let u = Uuid::new_v4(); }";
        for part in ["Timestamp::now", "env::var", "Uuid::new_v4"] {
            assert_found("crates/protocol/src/a.rs", text, part);
        }
        assert_clean("crates/kit/src/clock.rs", text);
        assert_clean("crates/gateway/tests/it/main.rs", text);
    }

    #[test]
    fn the_two_ends_never_depend_on_each_other() {
        let manifest = |dependency: &str| {
            format!(
                "[package]\nlicense.workspace = true\n[lints]\nworkspace = true\n[dev-dependencies]\n{dependency}.workspace = true\n"
            )
        };
        assert_found("crates/gateway/Cargo.toml", &manifest("network"), "never depends on `network`");
        assert_found("crates/network/Cargo.toml", &manifest("gateway"), "never depends on `gateway`");
        assert_found("crates/kit/Cargo.toml", &manifest("protocol"), "never depends on `protocol`");
        assert_clean("crates/gateway/Cargo.toml", &manifest("protocol"));
    }

    #[test]
    fn the_machinery_knows_no_domain_word_and_the_language_does_no_io() {
        assert_found("crates/kit/src/jobs.rs", "fn expire_payment() {}", "`payment`");
        assert_found("crates/kit/src/http/json.rs", "const H: &str = \"Klarna-Correlation-Id\";", "`klarna`");
        assert_clean("crates/kit/src/jobs.rs", "// for a payment, say\nfn expire() {}");
        let manifest =
            "[package]\nlicense.workspace = true\n[lints]\nworkspace = true\n[dependencies]\ntokio.workspace = true\n";
        assert_found("crates/protocol/Cargo.toml", manifest, "does no I/O");
        assert_clean("crates/kit/Cargo.toml", manifest);
    }

    #[test]
    fn manifests_carry_license_and_lints() {
        assert_found("crates/kit/Cargo.toml", "[package]\n[lints]\nworkspace = true\n", "license");
        assert_found("crates/kit/Cargo.toml", "[package]\nlicense.workspace = true\n", "lints");
        assert_found("Cargo.toml", "[workspace.package]\nlicense = \"MIT\"\n", "Apache-2.0");
    }

    #[test]
    fn migrations_are_numbered_and_explained() {
        assert_clean("crates/kit/migrations/0001_jobs.sql", "-- Why.\ncreate table jobs (id text);\n");
        assert_found("crates/kit/migrations/0001_jobs.sql", "create table jobs (id text);\n", "comment");
        assert_found("crates/kit/migrations/jobs.sql", "-- Why.\n", "named like");
        let twice = vec!["0001_a.sql".to_owned(), "0001_b.sql".to_owned()];
        assert_eq!(check_migration_numbers("m", twice).len(), 1);
        assert!(check_migration_numbers("m", vec!["0020_b.sql".to_owned(), "0001_a.sql".to_owned()]).is_empty());
    }

    #[test]
    fn names_say_something_and_files_stay_short() {
        assert_found("crates/kit/src/utils.rs", "", "says nothing");
        assert_found("crates/kit/src/helpers/mod.rs", "", "says nothing");
        assert_found("crates/kit/src/Clock.rs", "", "snake_case");
        assert_found("crates/kit/src/clock.rs", &"\n".repeat(LINES_MAX + 1), "split the file");
    }
}
