//! `kontor partner alignment`: how far the comparison of all accounts is. The gateway does the comparing; what this command knows, it
//! reads from the database, so that both may be stopped and started at any time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use gateway::partners::{self, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use kit::clock::Clock;
use kit::db::Db;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// No account compared for this long: nobody is comparing, or the rest cannot be compared now. What a gateway that died was comparing is
/// taken up again after two minutes.
const SILENCE_MAX: Duration = Duration::from_secs(150);

pub async fn alignment(db: &Db, clock: &Clock, all: bool, watch: bool) -> Result<()> {
    let began = clock.now();
    if all {
        partners::align_all(db, began).await?;
    }
    if watch {
        let compared = follow(db, clock, began).await?;
        let seconds = (clock.now() - began) as f64 / 1e6;
        let rate = compared as f64 / seconds.max(0.001);
        println!("{compared} accounts were compared in {seconds:.1} s ({rate:.1} a second); what that found:");
        say_drifts(&partners::alignment_progress(db, clock.now(), began).await?);
    } else {
        let progress = partners::alignment_progress(db, clock.now(), 0).await?;
        let (known, due) = (progress.known, progress.due);
        println!("{} of {known} accounts are compared, {due} wait", known - due);
        say_drifts(&progress);
    }
    Ok(())
}

fn say_drifts(progress: &Progress) {
    for (action, drifts) in &progress.drifts {
        println!("    {action:<9} {drifts}");
    }
}

/// Shows a bar until nothing is due; returns how many were compared.
async fn follow(db: &Db, clock: &Clock, began: i64) -> Result<i64> {
    let first = partners::alignment_progress(db, clock.now(), began).await?;
    let bar = ProgressBar::new(u64::try_from(first.due).unwrap_or_default());
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} accounts compared, {per_sec}, {eta} left")?);
    let (mut last, mut changed) = (first.compared, Instant::now());
    loop {
        let progress = partners::alignment_progress(db, clock.now(), began).await?;
        if progress.compared != last {
            (last, changed) = (progress.compared, Instant::now());
        }
        bar.set_length(u64::try_from(progress.compared + progress.due).unwrap_or_default());
        bar.set_position(u64::try_from(progress.compared).unwrap_or_default());
        // The last ones are not due any more while they are being compared.
        let is_over = progress.due == 0 && progress.compared >= first.due;
        let is_silent = changed.elapsed() > SILENCE_MAX;
        if is_over || is_silent {
            bar.finish_and_clear();
        }
        if is_silent && progress.due > 0 {
            bail!("no account was compared for {SILENCE_MAX:?}, and {} are due: is the gateway running?", progress.due);
        }
        if is_silent {
            println!("{} accounts could not be compared; the gateway tries again", first.due - progress.compared);
        }
        if is_over || is_silent {
            return Ok(progress.compared);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
