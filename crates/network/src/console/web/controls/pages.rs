//! Pages of faults, the clock and snapshots.

use kit::http::ApiError;
use maud::{Markup, html};
use serde_json::Value;

use super::super::pages::{act, csrf, empty, exact, id, moment, page, problems, time};
use super::super::session::{Console, field};
use super::{FAULTS, SEEDED, SNAPSHOTS};
use crate::console::faults::rule::EFFECTS;
use crate::console::faults::store::RuleRow;
use crate::console::snapshots::{Copied, SnapshotRow};

/// What an effect is called.
fn effect_words(effect: &str) -> &'static str {
    match effect {
        "latency" => "A call takes longer",
        "status" => "A call is refused",
        "drop" => "The connection ends without an answer",
        "truncate" => "The answer breaks off in the middle",
        "duplicate_webhook" => "A webhook is sent twice",
        "delay_webhook" => "A webhook comes later",
        "reorder_webhook" => "A webhook is overtaken by the next",
        "drop_webhook" => "An attempt at a webhook is not sent",
        _ => "Something unknown",
    }
}

fn fault_of<'a>(error: Option<&'a ApiError>, name: &str) -> Option<&'a str> {
    let faults = &error?.validation_errors;
    let found = faults.iter().find(|fault| fault.parameter == name || fault.parameter == format!("match.{name}"));
    found.map(|fault| fault.reason.as_str())
}

fn input(
    fields: &[(String, String)],
    error: Option<&ApiError>,
    (name, label, help, kind): (&str, &str, &str, &str),
) -> Markup {
    let wrong = fault_of(error, name);
    html! {
        div.field {
            label for=(name) { (label) }
            p.help id={ (name) "-help" } { (help) }
            @if let Some(reason) = wrong { p.error id={ (name) "-error" } { (reason) } }
            input id=(name) name=(name) type=(kind) value=(field(fields, name)) autocomplete="off" spellcheck="false"
                aria-describedby={ (name) "-help" } aria-invalid=[wrong.map(|_| "true")];
        }
    }
}

/// The rules, and a form for another.
pub(super) fn faults(
    console: &Console,
    rows: &[RuleRow],
    fields: &[(String, String)],
    error: Option<&ApiError>,
) -> Markup {
    let now = console.ctx.clock.now();
    let body = html! {
        h1 { "Faults" }
        p.lead { "What goes wrong on purpose. A rule concerns the calls and webhooks of your accounts, and holds until it is removed or used up." }
        (problems(error))
        @if rows.is_empty() {
            (empty("Nothing goes wrong", html! { "Make a rule below, or with " code { "POST /testing/faults" } "." }))
        } @else {
            div.table tabindex="0" role="region" aria-label="Rules" {
                table.compact {
                    thead { tr { th scope="col" { "Rule" } th scope="col" { "Concerns" } th scope="col" { "How often" } th.amount scope="col" { "Struck" } th scope="col" { "Made" } th scope="col" { span.visually-hidden { "Remove" } } } }
                    tbody { @for row in rows {
                        @let rule: Value = serde_json::from_str(&row.rule).unwrap_or_default();
                        tr {
                            td.path { (effect_words(rule["effect"].as_str().unwrap_or_default())) span.sub { (settings(&rule)) } }
                            td.path { (concerns(&rule)) }
                            td {
                                @if let Some(times) = row.times { "the next " (times) } @else { "always" }
                                @if rule["share"].as_i64() != Some(100) { span.sub { (rule["share"].as_i64().unwrap_or(100)) " of 100" } }
                            }
                            td.amount { (row.applied) " of " (row.matched) }
                            td { (time(row.created_at, now)) }
                            td.actions { (act(console, "/console/faults/delete", &[("fault_id", &row.fault_id)], "Remove", "danger", None)) }
                        }
                    } }
                }
            }
        }
        form.card method="post" action=(FAULTS) novalidate {
            h2 { "Another rule" }
            (csrf(console))
            div.field {
                label for="effect" { "What happens" }
                @if let Some(reason) = fault_of(error, "effect") { p.error { (reason) } }
                select id="effect" name="effect" {
                    @for effect in EFFECTS { option value=(effect) selected[field(fields, "effect") == effect] { (effect_words(effect)) } }
                }
            }
            fieldset.fields {
                legend.visually-hidden { "How" }
                (input(fields, error, ("delay_ms", "Delay, ms", "For what takes longer or comes later", "number")))
                (input(fields, error, ("status", "Status", "For refused calls: 400 to 599", "number")))
                (input(fields, error, ("error_code", "Error code", "The usual one, if empty", "text")))
                (input(fields, error, ("times", "How many", "Always, if empty", "number")))
                (input(fields, error, ("share", "Of a hundred", "All, if empty; chance repeats with the seed", "number")))
                div.field {
                    label for="executes" { "Is the call carried out" }
                    p.help id="executes-help" { "A lost answer differs from a lost call" }
                    select id="executes" name="executes" aria-describedby="executes-help" {
                        option value="" { "As usual for this fault" }
                        option value="true" selected[field(fields, "executes") == "true"] { "Yes, and its answer is lost" }
                        option value="false" selected[field(fields, "executes") == "false"] { "No" }
                    }
                }
            }
            fieldset.fields {
                legend.visually-hidden { "Which" }
                (input(fields, error, ("operation", "Operation", "authorizePayment; * for anything", "text")))
                (input(fields, error, ("method", "Method", "POST", "text")))
                (input(fields, error, ("path", "Path", "/v2/*/capture", "text")))
                (input(fields, error, ("account_id", "Account", "All of yours, if empty", "text")))
                (input(fields, error, ("event_type", "Event type", "For webhooks: payment.request.*", "text")))
                (input(fields, error, ("webhook_id", "Webhook", "For webhooks", "text")))
            }
            div { button.button.primary type="submit" { "Make the rule" } }
        }
    };
    page(console, FAULTS, "Faults", body)
}

fn settings(rule: &Value) -> String {
    let mut out = Vec::new();
    for (name, unit) in [("delay_ms", " ms"), ("status", ""), ("error_code", "")] {
        match &rule[name] {
            Value::Null => {}
            Value::String(text) => out.push(text.clone()),
            other => out.push(format!("{other}{unit}")),
        }
    }
    match rule["executes"].as_bool() {
        Some(true) => out.push("carried out".to_owned()),
        Some(false) => out.push("not carried out".to_owned()),
        None => {}
    }
    out.join(", ")
}

fn concerns(rule: &Value) -> String {
    let members = rule["match"].as_object();
    let shown = members
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some(format!("{} {}", name.replace('_', " "), value.as_str()?)));
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "everything of your accounts".to_owned() } else { shown.join(", ") }
}

/// The clock, and copies of everything.
pub(super) fn snapshots(
    console: &Console,
    rows: &[SnapshotRow],
    version: &str,
    fields: &[(String, String)],
    error: Option<&ApiError>,
) -> Markup {
    let now = console.ctx.clock.now();
    let ahead = console.ctx.clock.offset() / 1_000_000;
    let steps = [("PT1M", "1 minute"), ("PT1H", "1 hour"), ("P1D", "1 day"), ("P7D", "7 days"), ("P30D", "30 days")];
    let body = html! {
        h1 { "Clock and snapshots" }
        (problems(error))
        section.card aria-labelledby="clock-title" {
            h2 id="clock-title" { "The clock" }
            p.price { (moment(now)) }
            p.muted {
                @if ahead == 0 { "The time of this network is that of the world." } @else { "Ahead of the world by " (ahead / 86_400) " days, " (ahead % 86_400 / 3_600) " hours and " (ahead % 3_600 / 60) " minutes." }
                " It goes ahead only; what is due by then happens, in its order."
            }
            div.forms {
                @for (duration, words) in steps { (act(console, "/console/clock", &[("advance", duration)], words, "", None)) }
            }
            form.filters method="post" action="/console/clock" {
                (csrf(console))
                (input(fields, error, ("advance", "By a duration", "ISO 8601: PT90M, P2D", "text")))
                button.button type="submit" { "Move it" }
            }
        }
        section.stack aria-labelledby="snapshots-title" {
            h2 id="snapshots-title" { "Snapshots" }
            p { "A copy of everything that this network holds: accounts, payments, webhooks, rules, the clock. Going back takes away what came after; the request log stays." }
            form.filters method="post" action=(SNAPSHOTS) {
                (csrf(console))
                input type="hidden" name="act" value="take";
                (input(fields, error, ("name", "Name", "Letters, digits, . - _", "text")))
                button.button.primary type="submit" { "Keep a snapshot" }
            }
            @if rows.is_empty() {
                (empty("No snapshot", html! { "This database was seeded before snapshots were kept. Make one above." }))
            } @else {
                div.table tabindex="0" role="region" aria-labelledby="snapshots-title" {
                    table.compact {
                        thead { tr { th scope="col" { "Name" } th scope="col" { "Made" } th.amount scope="col" { "Rows" } th scope="col" { "Version" } th scope="col" { span.visually-hidden { "Actions" } } } }
                        tbody { @for row in rows {
                            @let copied: Vec<Copied> = serde_json::from_str(&row.tables).unwrap_or_default();
                            @let count: i64 = copied.iter().map(|copied| copied.rows).sum();
                            tr {
                                td.path { (row.name) @if row.name == SEEDED { span.sub { "as it was seeded: going back is a reset" } } }
                                td { (time(row.created_at, now)) }
                                td.amount { (count) }
                                td {
                                    (row.schema_version)
                                    @if row.schema_version != version { span.sub { "of an earlier version: no way back" } }
                                }
                                td.actions {
                                    @if row.schema_version == version { (act(console, SNAPSHOTS, &[("act", "restore"), ("name", &row.name)], if row.name == SEEDED { "Reset" } else { "Go back" }, "danger",
                                        Some(&format!("Everything since {} is taken away, for every account of this network. Go back to {}?", exact(row.created_at), row.name)))) }
                                    @if row.name != SEEDED { (act(console, SNAPSHOTS, &[("act", "delete"), ("name", &row.name)], "Remove", "quiet", Some(&format!("Remove the snapshot {}?", row.name)))) }
                                }
                            }
                        } }
                    }
                }
            }
        }
        p.small.muted { "The operator is " (id(&console.account)) }
    };
    page(console, SNAPSHOTS, "Clock and snapshots", body)
}
