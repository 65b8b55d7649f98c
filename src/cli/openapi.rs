//! `columba openapi`: the API's descriptions, as the server serves them.

use clap::Args;

use super::exit::Failure;
use super::screen::{Form, Screen};
use crate::app::documents;

/// A description of the API.
#[derive(Debug, Args)]
pub struct Openapi {
    /// The feed's description instead: AsyncAPI 3.0.
    #[arg(long, conflicts_with = "errors")]
    asyncapi: bool,
    /// The list of errors instead: Markdown.
    #[arg(long)]
    errors: bool,
}

impl Openapi {
    /// Prints it.
    pub fn run(&self) -> Result<(), Failure> {
        Screen::new(Form::Human).raw(documents::text(self.asyncapi, self.errors))
    }
}
