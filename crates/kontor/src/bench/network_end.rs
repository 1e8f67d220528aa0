//! `kontor bench network`: the network's end alone, by class of operation.
//!
//! With `--rows N`, one end with few payments and one with N are measured in turn, slice by slice. A shared machine may be half as fast a minute
//! later: what is compared must be measured side by side.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::Method;
use kit::random::Random;
use serde_json::{Map, Value, json};

use super::load::{self, Call, Report, Until, closed_loop};
use super::{Bench, Folder, checked, folder_mb, machine, per_call, purchase, round, spinner};
use crate::cli::BenchArgs;

/// Resources that reads choose from.
const KNOWN: u64 = 2_000;
/// How often each list is called; the median counts.
const LIST_CALLS: usize = 15;
/// Into how many slices a measurement of two ends is cut.
const SLICES: u64 = 5;
/// Between slices, so that what an end does after its answers is not counted as the other's.
const PAUSE: Duration = Duration::from_millis(500);

/// `kontor bench network`
pub async fn network_end(args: &BenchArgs) -> Result<()> {
    let progress = spinner()?;
    let start = async || Bench::start(args, Folder::new()?, progress.clone()).await;
    let mut results = json!({"machine": machine(), "connections": args.connections,
        "database": args.postgres.as_ref().map_or("sqlite", |_| "postgresql")});
    let few = Subject::new(start().await?).await?;
    results["memory_mb"] = json!(few.bench.network.resident_mb());
    match args.rows {
        None => results["classes"] = alone(&few).await?,
        Some(rows) => {
            let large = start().await?;
            large.fill(rows).await?;
            // Its reads choose from the newest, so that they go all over the database.
            let large = Subject::new(large).await?;
            let (of_few, of_large, ratios) = side_by_side(&few, &large).await?;
            results["classes"] = of_few;
            results[format!("with_{rows}_payments")] = of_large;
            results["ratios"] = ratios;
            results["memory_mb_after"] = json!(large.bench.network.resident_mb());
            results["database_mb"] = json!(folder_mb(&large.bench.folder.0));
        }
    }
    progress.finish_and_clear();
    println!("{}", serde_json::to_string_pretty(&results)?);
    Ok(())
}

/// A network end, and what can be asked of it.
struct Subject {
    bench: Bench,
    classes: Vec<(&'static str, Calls)>,
}

/// Makes the call of a number.
type Calls = Arc<dyn Fn(u64) -> Option<Call> + Send + Sync>;

impl Subject {
    async fn new(bench: Bench) -> Result<Self> {
        bench.warm_up(bench.network.address, bench.network_calls()?).await?;
        let classes = bench.classes(&bench.know().await?)?;
        Ok(Self { bench, classes })
    }

    /// Measures one class for some time, and says what a call cost.
    async fn measure(&self, name: &str, calls: &Calls, elapsed: Duration) -> Result<(Report, Value)> {
        let network = &self.bench.network;
        let before = network.processor_seconds();
        let calls = Arc::clone(calls);
        let report = self.bench.throughput_for(elapsed, name, network.address, move |number| calls(number)).await?;
        let cost = per_call(before, network.processor_seconds(), &report);
        Ok((report, cost))
    }
}

async fn alone(subject: &Subject) -> Result<Value> {
    let elapsed = Duration::from_secs(subject.bench.args.seconds);
    let mut found = Map::new();
    for (name, calls) in &subject.classes {
        let (report, cost) = subject.measure(name, calls, elapsed).await?;
        found.insert((*name).to_owned(), told(name, report, &[cost])?);
    }
    found.insert("lists".to_owned(), subject.bench.lists().await?);
    Ok(Value::Object(found))
}

/// What each end gave, and by class the median of the slices' ratios: the large end's throughput as a share of the other's.
async fn side_by_side(few: &Subject, large: &Subject) -> Result<(Value, Value, Value)> {
    let elapsed = Duration::from_secs(few.bench.args.seconds) / u32::try_from(SLICES)?;
    let (mut of_few, mut of_large, mut ratios) = (Map::new(), Map::new(), Map::new());
    for ((name, few_calls), (_, large_calls)) in few.classes.iter().zip(&large.classes) {
        let ends = [(few, few_calls), (large, large_calls)];
        let (mut reports, mut costs, mut shares) = ([None, None], [Vec::new(), Vec::new()], Vec::new());
        for slice in 0..SLICES {
            let mut per_second = [0.0; 2];
            // Each goes first in turn.
            for end in if slice % 2 == 0 { [0, 1] } else { [1, 0] } {
                let (subject, calls) = ends[end];
                let (report, cost) = subject.measure(name, calls, elapsed).await?;
                per_second[end] = report.per_second();
                costs[end].push(cost);
                reports[end] = Some(match reports[end].take() {
                    Some(earlier) => report.after(earlier)?,
                    None => report,
                });
                tokio::time::sleep(PAUSE).await;
            }
            shares.push(per_second[1] / per_second[0]);
        }
        shares.sort_by(f64::total_cmp);
        ratios.insert((*name).to_owned(), json!(round(shares[shares.len() / 2])));
        for ((report, costs), found) in reports.into_iter().zip(&costs).zip([&mut of_few, &mut of_large]) {
            found.insert((*name).to_owned(), told(name, report.context("no slice was measured")?, costs)?);
        }
    }
    of_few.insert("lists".to_owned(), few.bench.lists().await?);
    of_large.insert("lists".to_owned(), large.bench.lists().await?);
    Ok((Value::Object(of_few), Value::Object(of_large), Value::Object(ratios)))
}

/// A report as JSON, with the median of what a call cost.
fn told(name: &str, report: Report, costs: &[Value]) -> Result<Value> {
    let mut costs: Vec<f64> = costs.iter().filter_map(Value::as_f64).collect();
    costs.sort_by(f64::total_cmp);
    let mut found = report.to_json();
    found["processor_us_per_call"] = json!(costs.get(costs.len() / 2));
    checked(report, found).with_context(|| name.to_owned())
}

/// Ids to read.
struct Known {
    transactions: Arc<Vec<String>>,
    requests: Arc<Vec<String>>,
}

impl Bench {
    fn account_path(&self, tail: &str) -> String {
        format!("/v2/accounts/{}{tail}", self.credentials.partner.account_id)
    }

    /// Makes payments and requests whose ids are then known.
    async fn know(&self) -> Result<Known> {
        self.progress.set_message("making what will be read");
        let partner = &self.credentials.partner;
        let token = partner.customer_token.as_deref().context("the network's end seeded no customer token")?;
        let authorize = self.authorizations(self.network_headers(&[("klarna-customer-token", token)])?);
        let made = load::bodies(self.network.address, 32, KNOWN, authorize).await?;
        let transactions =
            ids(&made, |body| &body["payment_transaction_response"]["payment_transaction"]["payment_transaction_id"])?;
        let made = load::bodies(self.network.address, 32, KNOWN, self.request_creations()?).await?;
        let requests = ids(&made, |body| &body["payment_request_id"])?;
        Ok(Known { transactions: Arc::new(transactions), requests: Arc::new(requests) })
    }

    fn request_creations(&self) -> Result<impl Fn(u64) -> Call + Clone + Send + Sync + 'static> {
        let (path, headers) = (self.account_path("/payment/requests"), self.network_headers(&[])?);
        let payment_account_id = self.credentials.partner.payment_account_id.clone();
        let orders = self.orders.clone();
        Ok(move |_| {
            let (reference, key) = orders.next();
            let mut headers = headers.clone();
            headers.insert("klarna-idempotency-key", key);
            let body = json!({"currency": "EUR", "amount": 4_990, "payment_request_reference": reference,
                "customer_interaction_config": {"method": "HANDOVER", "return_url": "https://shop.example/return"},
                "acquiring_config": {"payment_account_id": payment_account_id},
                "supplementary_purchase_data": purchase(&reference)});
            Call { method: Method::POST, path: path.clone(), headers, body: Bytes::from(body.to_string()) }
        })
    }

    /// A GET of one of these paths, chosen at random.
    fn reads(&self, paths: Vec<String>) -> Result<Calls> {
        let (headers, random) = (self.network_headers(&[])?, Random::system());
        Ok(Arc::new(move |_| {
            let index = random.below(u64::try_from(paths.len()).unwrap_or(1));
            let path = paths.get(usize::try_from(index).unwrap_or_default())?.clone();
            Some(Call { method: Method::GET, path, headers: headers.clone(), body: Bytes::new() })
        }))
    }

    fn captures(&self, known: &Known) -> Result<Calls> {
        let (headers, orders) = (self.network_headers(&[])?, self.orders.clone());
        let account = self.account_path("");
        let transactions = Arc::clone(&known.transactions);
        Ok(Arc::new(move |number| {
            // A cent of each in turn: 4,990 of them each can give.
            let index = usize::try_from(number).ok()? % transactions.len();
            let path = format!("{account}/payment/transactions/{}/capture", transactions[index]);
            let (reference, key) = orders.next();
            let mut headers = headers.clone();
            headers.insert("klarna-idempotency-key", key);
            let body = json!({"capture_amount": 1, "payment_capture_reference": reference}).to_string();
            Some(Call { method: Method::POST, path, headers, body: Bytes::from(body) })
        }))
    }

    fn classes(&self, known: &Known) -> Result<Vec<(&'static str, Calls)>> {
        let payment = |kind: &str, ids: &Arc<Vec<String>>| -> Vec<String> {
            ids.iter().map(|id| self.account_path(&format!("/payment/{kind}/{id}"))).collect()
        };
        let presentation = self.account_path("/payment/presentation?locale=de-DE&currency=EUR&amount=4990&intents=PAY");
        let requests = self.request_creations()?;
        Ok(vec![
            ("read_transaction", self.reads(payment("transactions", &known.transactions))?),
            ("read_request", self.reads(payment("requests", &known.requests))?),
            ("read_account", self.reads(vec![self.account_path("")])?),
            ("presentation", self.reads(vec![presentation])?),
            ("list_signing_keys", self.reads(vec!["/v2/notification/signing-keys".to_owned()])?),
            ("authorize", Arc::new(self.network_calls()?)),
            ("create_request", Arc::new(move |number| Some(requests(number)))),
            ("capture", self.captures(known)?),
        ])
    }

    /// The median time of each list call, in milliseconds, and the slowest of them.
    async fn lists(&self) -> Result<Value> {
        self.progress.set_message("lists");
        let lists = [
            format!("/testing/accounts/{}/transactions?size=100", self.credentials.partner.account_id),
            "/testing/events?size=100".to_owned(),
            "/testing/deliveries?size=100".to_owned(),
            "/v2/notification/webhooks".to_owned(),
            self.account_path("/stores?size=100"),
            self.account_path("/brands?size=100"),
            self.account_path("/payment/disputes?size=100"),
            "/v2/settlements?interval_start=2020-01-01T00:00:00Z&interval_end=2100-01-01T00:00:00Z".to_owned(),
        ];
        let mut times = Map::new();
        let mut slowest = (String::new(), 0.0);
        for path in lists {
            let call = Call {
                method: Method::GET,
                path: path.clone(),
                headers: self.network_headers(&[])?,
                body: Bytes::new(),
            };
            let mut ms = Vec::new();
            for _ in 0..LIST_CALLS {
                let (call, since) = (call.clone(), Instant::now());
                load::bodies(self.network.address, 1, 1, move |_| call.clone()).await?;
                ms.push(since.elapsed().as_secs_f64() * 1_000.0);
            }
            ms.sort_by(f64::total_cmp);
            let median = round(ms[LIST_CALLS / 2]);
            let name = path.replace(&self.account_path(""), "A");
            if median > slowest.1 {
                slowest = (name.clone(), median);
            }
            times.insert(name, json!(median));
        }
        Ok(json!({"median_ms": times, "slowest": {"list": slowest.0, "median_ms": slowest.1}}))
    }

    async fn fill(&self, rows: u64) -> Result<()> {
        let progress = self.progress.clone();
        self.progress.set_message(format!("filling with {rows} payments"));
        let told = move |done: u64| progress.set_message(format!("filling: {done} of {rows} payments"));
        let calls = self.network_calls()?;
        let until = Until::Calls(rows);
        let filled = closed_loop(self.network.address, self.args.connections, until, calls, told).await?;
        checked(filled, Value::Null)?;
        self.progress.set_message("waiting for the disk to write what the filling left");
        sync_files(&self.folder.0)
    }
}

/// Has the disk write what it holds of the files in a folder and below.
fn sync_files(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_files(&path)?;
        } else {
            std::fs::File::open(&path)?.sync_all()?;
        }
    }
    Ok(())
}

fn ids(bodies: &[Bytes], id: impl Fn(&Value) -> &Value) -> Result<Vec<String>> {
    let read = |body: &Bytes| {
        let body: Value = serde_json::from_slice(body)?;
        Ok(id(&body).as_str().context("an id in the answer")?.to_owned())
    };
    bodies.iter().map(read).collect()
}
