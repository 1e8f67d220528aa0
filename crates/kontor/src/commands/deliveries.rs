use anyhow::{Result, bail};
use kit::clock::Clock;
use kit::db::DbError;
use kit::deliveries::{self, Attempt, Delivery, Filter};

use super::time;
use crate::cli::DeliveriesCommand;

/// `kontor deliveries`
pub async fn deliveries(command: &DeliveriesCommand) -> Result<()> {
    match command {
        DeliveriesCommand::List { owner, state, limit, side } => {
            let db = side.open().await?;
            let (owner, state, limit) = (owner.clone(), state.clone(), *limit);
            let found: Result<Vec<Delivery>, DbError> = db
                .read(move |tx| {
                    Box::pin(async move {
                        let filter = Filter { state: state.as_deref(), ..Filter::default() };
                        deliveries::list(tx, &owner, &filter, limit).await
                    })
                })
                .await;
            for delivery in found? {
                print(&delivery);
            }
        }
        DeliveriesCommand::Show { owner, delivery_id, side } => {
            let db = side.open().await?;
            let (owner, id) = (owner.clone(), delivery_id.clone());
            let found: Result<Option<(Delivery, Vec<Attempt>)>, DbError> = db
                .read(move |tx| {
                    Box::pin(async move {
                        let Some(delivery) = deliveries::read(tx, &owner, &id).await? else { return Ok(None) };
                        Ok(Some((delivery, deliveries::attempts(tx, &owner, &id).await?)))
                    })
                })
                .await;
            let Some((delivery, attempts)) = found? else { bail!("there is no such delivery of that owner") };
            print(&delivery);
            for attempt in attempts {
                let outcome = match (attempt.status, &attempt.error) {
                    (Some(status), _) => format!("status {status}"),
                    (None, Some(error)) => error.clone(),
                    (None, None) => "no outcome kept".to_owned(),
                };
                let ms = attempt.duration_us / 1_000;
                println!(
                    "  {} attempt {} to {}: {outcome} after {ms} ms",
                    time(attempt.started_at),
                    attempt.attempt,
                    attempt.url
                );
            }
        }
        DeliveriesCommand::Replay { owner, delivery_id, side } => {
            let db = side.open().await?;
            let (owner, id, now) = (owner.clone(), delivery_id.clone(), Clock::system().now());
            let found: Result<bool, DbError> =
                db.write(move |tx| Box::pin(async move { deliveries::replay(tx, &owner, &id, now).await })).await;
            if !found? {
                bail!("there is no such delivery of that owner; `kontor deliveries list OWNER` lists them");
            }
            println!("it is due now; a running {} process sends it", side.side.name());
        }
    }
    Ok(())
}

fn print(delivery: &Delivery) {
    println!(
        "{}  {:<9} {}  {}  event {}  {} attempts",
        time(delivery.created_at),
        delivery.state,
        delivery.delivery_id,
        delivery.event_type,
        delivery.event_id,
        delivery.attempts
    );
}
