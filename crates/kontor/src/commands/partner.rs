use anyhow::{Context as _, Result};
use gateway::access::{self, NewPartner, PartnerState};
use gateway::partners::{self, Wanted};
use kit::clock::Clock;
use kit::db::Db;
use kit::random::Random;
use secrecy::ExposeSecret as _;

use super::{alignment, bulk, time};
use crate::cli::{PartnerCommand, Side, StorageArgs};

/// `kontor partner`
pub async fn partner(command: &PartnerCommand) -> Result<()> {
    let (clock, random) = (Clock::system(), Random::system());
    match command {
        PartnerCommand::Create { name, klarna_account_id, payment_account_id, storage } => {
            let partner = NewPartner {
                name: name.clone(),
                klarna_account_id: klarna_account_id.parse().context("--klarna-account-id")?,
                payment_account_id: payment_account_id
                    .as_deref()
                    .map(str::parse)
                    .transpose()
                    .context("--payment-account-id")?,
            };
            let created = access::create_partner(&open(storage).await?, &clock, &random, partner).await?;
            println!("partner  {}", created.partner_id);
            println!("key id   {}", created.key.key_id);
            println!("api key  {}", created.key.api_key.expose_secret());
            println!("The key is shown this once.");
        }
        PartnerCommand::List { storage } => {
            let db = open(storage).await?;
            for partner in access::list(&db).await? {
                println!(
                    "{}  {:<9} {}  {}",
                    partner.partner_id, partner.state, partner.name, partner.klarna_account_id
                );
                for key in access::keys(&db, &partner.partner_id).await? {
                    let state =
                        key.disabled_at.map_or_else(|| "active".to_owned(), |at| format!("disabled {}", time(at)));
                    let used = key
                        .last_used_at
                        .map_or_else(|| "never used".to_owned(), |at| format!("last used {}", time(at)));
                    println!("    key {}  {state}, {used}  {}", key.key_id, key.description);
                }
            }
        }
        PartnerCommand::CreateKey { partner_id, description, storage } => {
            let db = open(storage).await?;
            let key = access::create_key(&db, &clock, &random, partner_id, description).await?;
            println!("key id   {}", key.key_id);
            println!("api key  {}", key.api_key.expose_secret());
            println!("The key is shown this once.");
        }
        PartnerCommand::Suspend { partner_id, storage } => {
            let db = open(storage).await?;
            access::set_partner_state(&db, partner_id, PartnerState::Suspended).await?;
            let wanted = Wanted::Suspend { reason: "VOLUNTARY".to_owned(), details: None };
            if partners::ask(&db, clock.now(), partner_id, &wanted).await? {
                println!("the gateway tells Klarna");
            }
            println!("new payments of {partner_id} are refused from now on");
        }
        PartnerCommand::Activate { partner_id, storage } => {
            let db = open(storage).await?;
            if partners::ask(&db, clock.now(), partner_id, &Wanted::Resume).await? {
                println!("the gateway takes new payments of {partner_id} again once Klarna has confirmed");
            } else {
                access::set_partner_state(&db, partner_id, PartnerState::Active).await?;
                println!("new payments of {partner_id} are taken again");
            }
        }
        PartnerCommand::Offboard { partner_id, storage } => {
            let db = open(storage).await?;
            access::set_partner_state(&db, partner_id, PartnerState::Suspended).await?;
            println!("new payments of {partner_id} are refused from now on");
            if partners::ask(&db, clock.now(), partner_id, &Wanted::Offboard).await? {
                println!("the gateway tells Klarna");
            }
        }
        PartnerCommand::Import(args) => bulk::import(args).await?,
        PartnerCommand::Export(args) => bulk::export(args).await?,
        PartnerCommand::Template(args) => bulk::template(args)?,
        PartnerCommand::Adopt { partner_id, operator } => bulk::adopt(operator, partner_id).await?,
        PartnerCommand::Alignment { all, watch, storage } => {
            alignment::alignment(&open(storage).await?, &clock, *all, *watch).await?;
        }
        PartnerCommand::DisableKey { partner_id, key_id, storage } => {
            access::disable_key(&open(storage).await?, &clock, partner_id, key_id).await?;
            println!("key {key_id} is refused from now on");
        }
    }
    Ok(())
}

async fn open(storage: &StorageArgs) -> Result<Db> {
    storage.open(Side::Gateway, gateway::MIGRATIONS).await
}
