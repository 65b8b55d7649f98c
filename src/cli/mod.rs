//! The command line. One file a group of commands; those that work on a server call its HTTP API as anybody would.
//!
//! A new group is a file with a `Subcommand` enum and its `run`, and one line here in `Command` and in `dispatch`.

mod api;
mod audit;
mod backup;
mod billing;
mod check_config;
mod checks;
mod confirm;
mod doctor;
pub mod exit;
mod feed;
mod invoice;
mod key;
mod life;
mod manual;
mod media;
mod message;
mod migrate;
mod openapi;
mod operator;
mod pairing;
mod plan;
mod qr;
mod refused;
mod reply;
mod screen;
mod serve;
mod session;
mod settings;
mod span;
mod steps;
mod subscription;
mod tail;
mod target;
mod tenant;
mod usage;
mod webhook;
mod words;

use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use self::exit::{Exit, Failure};
use self::screen::{Form, Screen};
use self::target::{Remote, Target};
use crate::{app, config};

/// Supervises many tenants' WhatsApp sessions: an HTTP API, a live feed, hard caps, nothing lost after 202.
#[derive(Debug, Parser)]
#[command(
    name = "columba",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C, then drain it.
    Serve(serve::Serve),
    /// Take the schema's steps on the configured database, or move its rows into another, without serving it.
    Migrate(migrate::Migrate),
    /// Put the store away into a new file, while the server runs.
    ///
    /// Everything that was answered with 202 before it began is in it, and it is checked before this says done. Auth state is
    /// left out: an older state of it uses message keys a second time, and recipients drop such messages without a word. To
    /// restore, start a server on the file, or move it: columba migrate --from sqlite://FILE --to URL
    Backup(backup::Backup),
    /// Look at this installation and say what is wrong with it.
    Doctor(doctor::Doctor),
    /// Say what every setting is and where it comes from, or what is wrong with one.
    CheckConfig(check_config::CheckConfig),
    /// Print every setting with its default and what it means.
    DefaultConfig,
    /// Customers of the operator.
    Tenant(Remote<tenant::Tenant>),
    /// What tenants can buy.
    Plan(Box<Remote<plan::Plan>>),
    /// What tenants have agreed to: show, change, end, begin again.
    Subscription(Remote<subscription::Subscription>),
    /// What tenants are asked to pay: list, show, mark as paid, take back, print.
    Invoice(Remote<invoice::Invoice>),
    /// Whom invoices are for, and what each tenant owes.
    Billing(Remote<billing::Billing>),
    /// What a tenant has used: this month, today, by day and session.
    Usage(Remote<usage::Usage>),
    /// API keys of tenants.
    Key(Remote<key::Key>),
    /// People and programs with an operator's token of their own.
    Operator(Remote<operator::Operator>),
    /// A tenant's connected numbers: make, pair, start, stop.
    Session(Remote<session::Session>),
    /// Send messages, and look at what was sent and received.
    Message(Remote<message::Message>),
    /// Files that messages carry: upload, look at, download, remove.
    Media(Remote<media::Media>),
    /// Where a tenant is told of its events: make, try, change, send again.
    Webhook(Remote<webhook::Webhook>),
    /// Show a tenant's events as they happen.
    Feed(Listen),
    /// What operators did, and whether it stands as it was written.
    Audit(Remote<audit::Audit>),
    /// Print the API's description: OpenAPI 3.1.
    Openapi(openapi::Openapi),
    /// Run the sandbox network as a process of its own, so that it outlives a server that is killed.
    SandboxNet(serve::SandboxNet),
    /// Print completions for a shell: columba completions bash > /etc/bash_completion.d/columba
    Completions(manual::Completions),
    /// Print the manual page, or write all of them.
    #[command(hide = true)]
    Man(manual::Man),
}

#[derive(Debug, Args)]
struct Listen {
    #[command(flatten)]
    feed: feed::Feed,
    #[command(flatten)]
    target: Target,
}

/// The whole command line, for whoever describes it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs what the command line asks for. [`Exit`] lists how it may end.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => {
            let code = if asked.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed pipe is no reason to fail while failing.
            asked.print().unwrap_or(());
            return code.into();
        }
    };
    let form = cli.command.form();
    match dispatch(&cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.exit == Exit::Done => ExitCode::SUCCESS,
        Err(failure) => {
            match form {
                Form::Json => eprintln!("{}", failure.json()),
                Form::Human | Form::Quiet => eprintln!("{}", failure.text(command().get_name())),
            }
            failure.exit.into()
        }
    }
}

impl Command {
    fn form(&self) -> Form {
        match self {
            Self::Serve(_)
            | Self::DefaultConfig
            | Self::Openapi(_)
            | Self::SandboxNet(_)
            | Self::Completions(_)
            | Self::Man(_) => Form::Human,
            Self::Migrate(migrate) => migrate.form(),
            Self::Backup(backup) => backup.form(),
            Self::Doctor(doctor) => doctor.form(),
            Self::CheckConfig(check) => check.form(),
            Self::Tenant(Remote { target, .. }) => target.form(),
            Self::Plan(plan) => plan.target.form(),
            Self::Subscription(Remote { target, .. }) => target.form(),
            Self::Invoice(Remote { target, .. }) => target.form(),
            Self::Billing(Remote { target, .. }) => target.form(),
            Self::Usage(Remote { target, .. }) => target.form(),
            Self::Key(Remote { target, .. }) => target.form(),
            Self::Operator(Remote { target, .. }) => target.form(),
            Self::Session(Remote { target, .. }) => target.form(),
            Self::Message(Remote { target, .. }) => target.form(),
            Self::Media(Remote { target, .. }) => target.form(),
            Self::Webhook(Remote { target, .. }) => target.form(),
            Self::Feed(Listen { target, .. }) => target.form(),
            Self::Audit(Remote { target, .. }) => target.form(),
        }
    }
}

fn dispatch(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Backup(backup) => backup.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::CheckConfig(check) => check.run(),
        Command::DefaultConfig => Screen::new(Form::Human).raw(config::DEFAULT),
        Command::Tenant(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Plan(plan) => calling(plan.what.run(&plan.target.api()?, plan.target.screen())),
        Command::Subscription(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Invoice(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Billing(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Usage(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Key(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Operator(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Session(Remote { what, target }) => {
            calling(what.run(&target.api()?, target.screen(), target.has_key()))
        }
        Command::Message(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Media(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Webhook(Remote { what, target }) => calling(what.run(&target.api()?, target.screen())),
        Command::Feed(Listen { feed, target }) => calling(feed.run(&target.api()?, target.screen())),
        Command::Audit(Remote { what, target }) => what.run(target),
        Command::Openapi(openapi) => openapi.run(),
        Command::SandboxNet(network) => network.run(),
        Command::Completions(completions) => completions.run(self::command()),
        Command::Man(man) => man.run(self::command()),
    }
}

fn calling(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    app::block_on(work)
}
