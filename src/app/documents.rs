//! What the program prints of its own faces; `docs/` keeps a copy of each.

use crate::http::asyncapi;
use crate::http::openapi::{self, errors};

/// The OpenAPI document, unless another is asked for.
pub fn text(asyncapi: bool, errors: bool) -> String {
    match (asyncapi, errors) {
        (true, _) => asyncapi::document(),
        (_, true) => errors::markdown(),
        _ => openapi::document(),
    }
}
