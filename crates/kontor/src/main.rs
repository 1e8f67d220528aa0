//! One binary, three roles: the Acquiring Partner's gateway, the network's end, and a demo of both.
//!
//! `cli` is what can be typed, `roles` puts the long-running processes together, `commands` holds the short ones, `demo` and
//! `shop` show the whole, `bench` measures it. Nothing here decides anything about a payment.

mod bench;
mod cli;
mod commands;
mod demo;
mod roles;
mod shop;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use kit::shutdown::Shutdown;

use cli::{BenchCommand, Cli, Command, DemoArgs, DemoScene};

fn main() -> ExitCode {
    let cli = Cli::parse();
    kit::telemetry::init(cli.log_format, &cli.log);
    kit::tls::install_crypto_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("kontor: starting the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kontor: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(DemoArgs { scene: Some(DemoScene::Partners(args)), .. }) => return demo::partners(&args).await,
        Command::Demo(args) if args.once => return demo::once(&args).await,
        Command::Demo(args) => demo::stay_up(&args).await?,
        Command::Network(args) => {
            let stop = Shutdown::on_signals()?;
            roles::network::start(&args, &stop).await?.finished().await?;
        }
        Command::Gateway(args) => {
            let stop = Shutdown::on_signals()?;
            roles::gateway::start(&args, &stop).await?.finished().await?;
        }
        Command::Partner(command) => commands::partner(&command).await?,
        Command::Operator(command) => commands::operator(&command).await?,
        Command::Deliveries(command) => commands::deliveries(&command).await?,
        Command::Jobs(command) => commands::jobs(&command).await?,
        Command::Migrate(args) => commands::migrate(&args).await?,
        Command::Reference(args) => commands::reference(&args)?,
        Command::Secrets(command) => commands::secrets(&command).await?,
        Command::Bench(BenchCommand::Payments(args)) => bench::payments(&args).await?,
        Command::Bench(BenchCommand::Network(args)) => bench::network_end(&args).await?,
        Command::Bench(BenchCommand::Partners(args)) => bench::partners(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
