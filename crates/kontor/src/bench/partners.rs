//! `kontor bench partners`: an import as it goes on a bad day, and what came of it at both ends.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use gateway::access;
use indicatif::ProgressBar;
use kit::clock::Clock;
use kit::db::{Db, DbConfig};
use kit::random::Random;
use network::seed::Credentials;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::invented::Invention;
use super::process::{Role, memory_mb};
use super::{Folder, arguments, database, folder_mb, machine, round, spinner};
use crate::cli::{BenchPartnersArgs, FileFormat, RateLimits};

/// How long anything may take; ten thousand onboardings at five a second take half an hour.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);

/// `kontor bench partners`
pub async fn partners(args: &BenchPartnersArgs) -> Result<()> {
    if let (Some(path), Some(credentials)) = (&args.write, &args.credentials_file) {
        let credentials: Credentials = serde_json::from_slice(&std::fs::read(credentials)?)?;
        return invention(args, &credentials).write(path, args.format, args.partners);
    }
    let progress = spinner()?;
    let mut bench = Bench::start(args, progress.clone()).await?;
    let mut results = json!({});
    let outcome = bench.run(&mut results).await;
    progress.finish_and_clear();
    // What was found before something went wrong helps to find out what.
    println!("{}", serde_json::to_string_pretty(&results)?);
    outcome
}

fn invention(args: &BenchPartnersArgs, credentials: &Credentials) -> Invention {
    let own = &credentials.acquiring_partner;
    Invention {
        seed: args.seed,
        payment_profile_id: own.payment_profile_id.clone(),
        acquiring_account_id: own.payment_acquiring_account_id.clone(),
        faulty_every: args.faulty_every,
    }
}

struct Bench {
    // Dropped in this order: the processes end before their folder goes.
    gateway: Option<Role>,
    network: Role,
    folder: Folder,
    http: reqwest::Client,
    args: BenchPartnersArgs,
    credentials: Credentials,
    gateway_args: Vec<OsString>,
    gateway_address: SocketAddr,
    gateway_database: String,
    operator_key: String,
    invention: Invention,
    progress: ProgressBar,
}

/// How a command ended.
struct Ended {
    seconds: f64,
    peak_mb: Option<f64>,
    said: String,
    is_success: bool,
}

impl Bench {
    async fn start(args: &BenchPartnersArgs, progress: ProgressBar) -> Result<Self> {
        progress.set_message("starting both ends");
        let folder = Folder::new()?;
        let file = folder.0.join("credentials.json");
        let mut network_args = arguments(&folder.0.join("network"), database(args.postgres.as_ref(), "network").await?);
        let limits = match args.rate_limits {
            RateLimits::Live => "live",
            RateLimits::Test => "test",
            RateLimits::Off => "off",
        };
        let kept = (args.partners * 10).to_string();
        let more = ["--rate-limits", limits, "--local-webhooks", "--request-log", &kept, "--credentials-file"];
        network_args.extend(more.map(OsString::from));
        network_args.push(file.clone().into());
        let network = Role::start("network", &folder.0, &network_args).await?;
        let credentials: Credentials = serde_json::from_slice(&std::fs::read(&file)?)?;

        let data = folder.0.join("gateway");
        let given = database(args.postgres.as_ref(), "gateway").await?;
        let gateway_database = given.clone().unwrap_or_else(|| format!("sqlite:{}", data.join("gateway.db").display()));
        let db = Db::open(&DbConfig::new(&gateway_database)).await?;
        db.migrate(gateway::MIGRATIONS).await?;
        let operator = access::create_operator(&db, &Clock::system(), &Random::system(), "bench").await?;
        drop(db);
        let mut gateway_args = arguments(&data, given);
        gateway_args.extend(["--local-targets", "--klarna-credentials-file"].map(OsString::from));
        gateway_args.push(file.into());
        let mut bench = Self {
            gateway: None,
            network,
            folder,
            // The network's end counts calls by reading its whole log.
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(600)).build()?,
            args: args.clone(),
            invention: invention(args, &credentials),
            credentials,
            gateway_args,
            gateway_address: free_address(),
            gateway_database,
            operator_key: operator.api_key.expose_secret().to_owned(),
            progress,
        };
        bench.restart_gateway().await?;
        Ok(bench)
    }

    /// Kills the gateway, if it runs, and starts it where it was.
    async fn restart_gateway(&mut self) -> Result<()> {
        self.gateway = None;
        self.gateway = Some(Role::start_at(self.gateway_address, "gateway", &self.folder.0, &self.gateway_args).await?);
        Ok(())
    }

    fn gateway(&self) -> Result<&Role> {
        self.gateway.as_ref().context("the gateway has not been started")
    }

    async fn run(&mut self, results: &mut Value) -> Result<()> {
        let (name, result) = match self.args.format {
            FileFormat::Csv => ("partners.csv", "partners.result.csv"),
            FileFormat::Jsonl => ("partners.jsonl", "partners.result.jsonl"),
        };
        let file = self.folder.0.join(name);
        self.invention.write(&file, self.args.format, self.args.partners)?;
        *results = json!({"machine": machine(), "partners": self.args.partners, "rate_limits": format!("{:?}", self.args.rate_limits),
            "database": self.args.postgres.as_ref().map_or("sqlite", |_| "postgresql"),
            "file_mb": round(std::fs::metadata(&file)?.len() as f64 / 1_048_576.0)});

        self.progress.set_message("a dry run");
        let dry = self.import(&file, &["--dry-run", "--submit"]).await?;
        results["dry_run"] = json!({"seconds": round(dry.seconds), "rows_per_second": (self.args.partners as f64 / dry.seconds).round()});

        self.progress.set_message("importing, until the command is killed");
        let submitting = Instant::now();
        let middle = self.middle();
        let killed = self.import_until(&file, &middle).await?;
        self.progress.set_message("importing the rest");
        let rest = self.import(&file, &["--submit", "--no-wait"]).await?;
        if !rest.said.contains("going on behind row") {
            bail!("the second import began anew: {}", rest.said);
        }
        results["import"] = json!({"killed_after_s": round(killed), "rest_s": round(rest.seconds), "said": rest.said,
            "rows_per_second": (self.args.partners as f64 / (killed + rest.seconds)).round(), "command_peak_mb": rest.peak_mb});

        self.progress.set_message("submitting, until the gateway is killed");
        self.until(&format!("/v1/partners?reference={middle}"), |listed| listed["partners"][0]["state"] != "SUBMITTED")
            .await?;
        let peak = self.gateway()?.peak_mb();
        self.restart_gateway().await?;
        self.progress.set_message("submitting the rest");
        let last = self.import(&file, &["--submit"]).await?;
        let seconds = submitting.elapsed().as_secs_f64();
        let good = (1..=self.args.partners).filter(|number| !self.invention.is_faulty(*number)).count();
        results["submission"] = json!({"seconds_since_the_first_row": round(seconds), "per_second": round(good as f64 / seconds),
            "gateway_peak_mb": peak, "said": last.said});

        results["result_file"] = self.outcomes(&self.folder.0.join(result))?;
        results["made"] = self.made(good).await?;
        self.progress.set_message("comparing all accounts");
        results["alignment"] = self.align(good).await?;
        results["memory_peak_mb"] = json!({"gateway": self.gateway()?.peak_mb(), "network": self.network.peak_mb()});
        results["databases_mb"] = json!(folder_mb(&self.folder.0));
        Ok(())
    }

    /// A reference from the middle of the file, of a row that is fine.
    fn middle(&self) -> String {
        let mut number = self.args.partners / 2;
        while self.invention.is_faulty(number) {
            number += 1;
        }
        format!("p-{number:06}")
    }

    fn command(&self, args: &[OsString]) -> Result<Child> {
        let out = std::fs::File::create(self.folder.0.join("command.out"))?;
        Command::new(std::env::current_exe()?)
            .args(["--log", "warn"])
            .args(args)
            .env("KONTOR_OPERATOR_KEY", &self.operator_key)
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            .spawn()
            .context("starting a command")
    }

    fn importing(&self, file: &Path, flags: &[&str]) -> Result<Child> {
        let mut args: Vec<OsString> = ["partner", "import", "--gateway"].map(OsString::from).into();
        args.push(format!("http://{}", self.gateway_address).into());
        args.extend(flags.iter().map(OsString::from));
        args.push(file.into());
        self.command(&args)
    }

    async fn import(&self, file: &Path, flags: &[&str]) -> Result<Ended> {
        let ended = self.ended(self.importing(file, flags)?).await?;
        // Some rows are faulty, so it says that it failed.
        if !ended.said.contains("what became of each row") || ended.is_success != (self.args.faulty_every == 0) {
            bail!("an import ended early: {}", ended.said);
        }
        Ok(ended)
    }

    /// Imports, and kills the command once a Partner is there; returns how long that took.
    async fn import_until(&self, file: &Path, reference: &str) -> Result<f64> {
        let began = Instant::now();
        let mut child = self.importing(file, &["--submit", "--no-wait"])?;
        let seen =
            self.until(&format!("/v1/partners?reference={reference}"), |listed| listed["partners"] != json!([])).await;
        let ended_before = child.try_wait()?.is_some();
        child.kill()?;
        child.wait()?;
        seen?;
        if ended_before {
            bail!("the import was over before it could be killed; take more Partners");
        }
        Ok(began.elapsed().as_secs_f64())
    }

    /// Waits for a command, and watches its memory.
    async fn ended(&self, mut child: Child) -> Result<Ended> {
        let (began, mut peak_mb) = (Instant::now(), None);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            peak_mb = memory_mb(child.id(), "VmHWM:").or(peak_mb);
            if began.elapsed() > PATIENCE {
                child.kill()?;
                bail!("a command took longer than {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let said = std::fs::read_to_string(self.folder.0.join("command.out"))?;
        Ok(Ended { seconds: began.elapsed().as_secs_f64(), peak_mb, said, is_success: status.success() })
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("http://{}{path}", self.gateway_address);
        let answer = self.http.get(url).bearer_auth(&self.operator_key).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }

    async fn until(&self, path: &str, is: impl Fn(&Value) -> bool) -> Result<()> {
        let began = Instant::now();
        while !is(&self.get(path).await?) {
            if began.elapsed() > PATIENCE {
                bail!("waited in vain for {path}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Asks the network's end how many of something there were.
    async fn count(&self, what: &str, wanted: &Value) -> Result<usize> {
        let url = format!("http://{}/testing/{what}/count", self.network.address);
        let request = self.http.post(url).basic_auth("", Some(&self.credentials.acquiring_partner.api_key));
        let counted: Value = request.json(&json!({"match": wanted})).send().await?.error_for_status()?.json().await?;
        usize::try_from(counted["count"].as_u64().context("a count")?).context("a count")
    }

    /// What the result file says, and whether it says so of every row once.
    fn outcomes(&self, path: &Path) -> Result<Value> {
        let (mut rows, mut outcomes, mut fields) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        let mut example = BTreeMap::new();
        for line in read_outcomes(path, self.args.format)? {
            if rows.insert(line.number) {
                *outcomes.entry(line.outcome).or_insert(0_u64) += 1;
            }
            if !line.field.is_empty() || !line.reason.is_empty() {
                *fields.entry(line.field.clone()).or_insert(0_u64) += 1;
                example.entry(line.field).or_insert(line.reason);
            }
        }
        if rows.len() as u64 != self.args.partners {
            bail!("the result file tells of {} rows", rows.len());
        }
        Ok(json!({"outcomes": outcomes, "faults_by_field": fields, "for_example": example}))
    }

    /// Partners at both ends: as many as there are good rows, and none twice.
    async fn made(&self, good: usize) -> Result<Value> {
        self.progress.set_message("counting at both ends");
        let (mut references, mut accounts, mut listed) = (BTreeSet::new(), BTreeSet::new(), 0_usize);
        let mut path = "/v1/partners?size=100".to_owned();
        loop {
            let page = self.get(&path).await?;
            for partner in page["partners"].as_array().into_iter().flatten() {
                listed += 1;
                references.insert(partner["reference"].to_string());
                accounts.insert(partner["klarna_account_id"].to_string());
            }
            let Some(last) = page["pagination"]["last_item"].as_str() else { break };
            path = format!("/v1/partners?size=100&starting_after={last}");
        }
        // Every account becomes operational once.
        let began = Instant::now();
        let wanted = json!({"event_type": "partner.account.state-change.operational"});
        let mut operational = self.count("events", &wanted).await?;
        while operational < good && began.elapsed() < Duration::from_secs(120) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            operational = self.count("events", &wanted).await?;
        }
        let found = json!({"good_rows": good, "partners_at_the_gateway": listed, "different_references": references.len(),
            "different_accounts": accounts.len(), "accounts_made_at_the_network": operational});
        if [listed, references.len(), accounts.len(), operational] != [good; 4] {
            bail!("something was lost or made twice: {found}");
        }
        Ok(found)
    }

    async fn align(&self, good: usize) -> Result<Value> {
        let before = self.count("requests", &json!({"operation": "readAccount"})).await?;
        let mut args: Vec<OsString> =
            ["partner", "alignment", "--all", "--watch", "--database-url"].map(OsString::from).into();
        args.push(self.gateway_database.clone().into());
        let ended = self.ended(self.command(&args)?).await?;
        if !ended.is_success {
            bail!("the comparison failed: {}", ended.said);
        }
        let calls = self.count("requests", &json!({"operation": "readAccount"})).await? - before;
        Ok(
            json!({"accounts": good, "seconds": round(ended.seconds), "per_second": round(good as f64 / ended.seconds), "calls": calls,
            "said": ended.said}),
        )
    }
}

struct OutcomeLine {
    number: u64,
    outcome: String,
    field: String,
    reason: String,
}

fn read_outcomes(path: &Path, format: FileFormat) -> Result<Vec<OutcomeLine>> {
    let mut lines = Vec::new();
    match format {
        FileFormat::Csv => {
            for record in csv::Reader::from_path(path)?.into_records() {
                let record = record?;
                let cell = |index| record.get(index).unwrap_or_default().to_owned();
                lines.push(OutcomeLine { number: cell(0).parse()?, outcome: cell(2), field: cell(5), reason: cell(6) });
            }
        }
        FileFormat::Jsonl => {
            for line in std::fs::read_to_string(path)?.lines() {
                let row: Value = serde_json::from_str(line)?;
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let number = row["number"].as_u64().context("a number")?;
                let faults = row["faults"].as_array().cloned().unwrap_or_default();
                for fault in if faults.is_empty() { vec![Value::Null] } else { faults } {
                    let (field, reason) = (text(&fault["parameter"]), text(&fault["reason"]));
                    lines.push(OutcomeLine { number, outcome: text(&row["outcome"]), field, reason });
                }
            }
        }
    }
    Ok(lines)
}

/// Below the range from which the system takes ports for outgoing connections: a killed process must get its port back.
fn free_address() -> SocketAddr {
    let random = Random::system();
    loop {
        let port = 20_000 + u16::try_from(random.below(12_000)).unwrap_or_default();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
