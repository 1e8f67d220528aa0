//! `kontor bench network`: the network's end alone, by class of operation.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::Method;
use kit::random::Random;
use serde_json::{Map, Value, json};

use super::load::{self, Call, Report, Until, closed_loop};
use super::{Bench, Folder, ascii, checked, folder_mb, machine, per_call, purchase, round, spinner};
use crate::cli::BenchArgs;

/// Resources that reads choose from.
const KNOWN: u64 = 2_000;
/// How often each list is called; the median counts.
const LIST_CALLS: usize = 15;

/// `kontor bench network`
pub async fn network_end(args: &BenchArgs) -> Result<()> {
    let progress = spinner()?;
    let bench = Bench::start(args, Folder::new()?, progress.clone()).await?;
    let mut results = Map::new();
    results.insert("machine".to_owned(), machine());
    results.insert("database".to_owned(), args.postgres.as_ref().map_or("sqlite", |_| "postgresql").into());
    results.insert("connections".to_owned(), args.connections.into());
    let known = bench.know().await?;
    bench.warm_up(bench.network.address, bench.network_calls()?).await?;
    let before = bench.classes(&known).await?;
    results.insert("memory_mb".to_owned(), json!(bench.network.resident_mb()));
    if let Some(rows) = args.rows {
        bench.fill(rows).await?;
        // Of the new ones, so that reads go all over the database.
        let known = bench.know().await?;
        let after = bench.classes(&known).await?;
        results.insert("ratios".to_owned(), ratios(&before, &after));
        results.insert(format!("with_{rows}_payments"), after);
        results.insert("memory_mb_after".to_owned(), json!(bench.network.resident_mb()));
        results.insert("database_mb".to_owned(), json!(folder_mb(&bench.folder.0)));
    }
    results.insert("classes".to_owned(), before);
    progress.finish_and_clear();
    println!("{}", serde_json::to_string_pretty(&Value::Object(results))?);
    Ok(())
}

/// Ids to read.
#[derive(Clone)]
struct Known {
    transactions: Arc<Vec<String>>,
    requests: Arc<Vec<String>>,
}

/// Throughput after, as a share of before, by class.
fn ratios(before: &Value, after: &Value) -> Value {
    let classes = before.as_object().into_iter().flatten();
    let ratio = |name: &String, found: &Value| {
        let (was, is) = (found["per_second"].as_f64()?, after[name]["per_second"].as_f64()?);
        Some((name.clone(), json!(round(is / was))))
    };
    Value::Object(classes.filter_map(|(name, found)| ratio(name, found)).collect())
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
        let random = Random::system();
        Ok(move |_| {
            let reference = random.alphanumeric(20);
            let mut headers = headers.clone();
            headers.insert("klarna-idempotency-key", ascii(&reference));
            let body = json!({"currency": "EUR", "amount": 4_990, "payment_request_reference": reference,
                "customer_interaction_config": {"method": "HANDOVER", "return_url": "https://shop.example/return"},
                "acquiring_config": {"payment_account_id": payment_account_id},
                "supplementary_purchase_data": purchase(&reference)});
            Call { method: Method::POST, path: path.clone(), headers, body: Bytes::from(body.to_string()) }
        })
    }

    /// A GET of one of these paths, chosen at random.
    fn reads(&self, paths: Vec<String>) -> Result<impl Fn(u64) -> Option<Call> + Clone + Send + Sync + 'static> {
        let (headers, random, paths) = (self.network_headers(&[])?, Random::system(), Arc::new(paths));
        Ok(move |_| {
            let index = random.below(u64::try_from(paths.len()).unwrap_or(1));
            let path = paths.get(usize::try_from(index).unwrap_or_default())?.clone();
            Some(Call { method: Method::GET, path, headers: headers.clone(), body: Bytes::new() })
        })
    }

    fn captures(&self, known: &Known) -> Result<impl Fn(u64) -> Option<Call> + Clone + Send + Sync + 'static> {
        let (headers, random) = (self.network_headers(&[])?, Random::system());
        let account = self.account_path("");
        let transactions = Arc::clone(&known.transactions);
        Ok(move |number| {
            // A cent of each in turn: 4,990 of them each can give.
            let index = usize::try_from(number).ok()? % transactions.len();
            let path = format!("{account}/payment/transactions/{}/capture", transactions[index]);
            let reference = random.alphanumeric(20);
            let mut headers = headers.clone();
            headers.insert("klarna-idempotency-key", ascii(&reference));
            let body = json!({"capture_amount": 1, "payment_capture_reference": reference}).to_string();
            Some(Call { method: Method::POST, path, headers, body: Bytes::from(body) })
        })
    }

    async fn classes(&self, known: &Known) -> Result<Value> {
        let mut classes = Map::new();
        let payment = |kind: &str, ids: &Arc<Vec<String>>| -> Vec<String> {
            ids.iter().map(|id| self.account_path(&format!("/payment/{kind}/{id}"))).collect()
        };
        let presentation = self.account_path("/payment/presentation?locale=de-DE&currency=EUR&amount=4990&intents=PAY");
        let reads = [
            ("read_transaction", payment("transactions", &known.transactions)),
            ("read_request", payment("requests", &known.requests)),
            ("read_account", vec![self.account_path("")]),
            ("presentation", vec![presentation]),
            ("list_signing_keys", vec!["/v2/notification/signing-keys".to_owned()]),
        ];
        for (name, paths) in reads {
            classes.insert(name.to_owned(), self.class(name, self.reads(paths)?).await?);
        }
        classes.insert("authorize".to_owned(), self.class("authorize", self.network_calls()?).await?);
        let requests = self.request_creations()?;
        classes.insert("create_request".to_owned(), self.class("create_request", move |n| Some(requests(n))).await?);
        classes.insert("capture".to_owned(), self.class("capture", self.captures(known)?).await?);
        classes.insert("lists".to_owned(), self.lists().await?);
        Ok(Value::Object(classes))
    }

    async fn class(&self, name: &str, calls: impl Fn(u64) -> Option<Call> + Send + Sync + 'static) -> Result<Value> {
        let before = self.network.processor_seconds();
        let report: Report = self.throughput(name, self.network.address, calls).await?;
        let mut found = report.to_json();
        found["processor_us_per_call"] = per_call(before, self.network.processor_seconds(), &report);
        checked(report, found).with_context(|| name.to_owned())
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
        checked(filled, Value::Null).map(drop)
    }
}

fn ids(bodies: &[Bytes], id: impl Fn(&Value) -> &Value) -> Result<Vec<String>> {
    let read = |body: &Bytes| {
        let body: Value = serde_json::from_slice(body)?;
        Ok(id(&body).as_str().context("an id in the answer")?.to_owned())
    };
    bodies.iter().map(read).collect()
}
