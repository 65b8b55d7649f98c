//! A paper as a page. It loads nothing, runs nothing, and shows what tenants wrote as text.

use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error};

use super::Paper;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::empty();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
});

/// The page.
///
/// # Errors
/// Only when the template is broken, which a test would have said.
pub fn page(paper: &Paper) -> Result<String, Error> {
    TEMPLATES.render_named_str("paper.html", include_str!("paper.html"), Serde(paper))
}
