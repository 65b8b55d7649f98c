//! Papers over HTTP: the same path answers the record, the page or the PDF, as `Accept` asks.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{Answer, ok};
use super::openapi::operation::Operation;
use super::render::billing::{self, InvoiceWithNotes};
use super::render::paper::{self, Fonts, Paper};
use super::state::HttpState;
use crate::domain::invoice::{CreditNote, Invoice};
use crate::domain::refusal::Refusal;

/// The page.
pub const HTML: &str = "text/html";
/// The document.
pub const PDF: &str = "application/pdf";
/// A page loads nothing, runs nothing and is framed by nobody; its style stands in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; sandbox";

/// In which form a paper is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its record.
    Record,
    /// A page.
    Page,
    /// A document.
    Document,
}

impl Wanted {
    /// The first of ours that `Accept` names; the record if it names none.
    pub fn by(headers: &HeaderMap) -> Self {
        let ranges = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
        let kinds = ranges.flat_map(|value| value.split(',')).filter_map(|range| {
            let kind = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            match kind.as_str() {
                "application/json" => Some(Self::Record),
                HTML => Some(Self::Page),
                PDF => Some(Self::Document),
                _ => None,
            }
        });
        { kinds }.next().unwrap_or(Self::Record)
    }
}

/// An invoice, as it is asked for.
pub async fn invoice(state: &HttpState, headers: &HeaderMap, invoice: &Invoice) -> Answer {
    match Wanted::by(headers) {
        Wanted::Record => {
            let notes = state.ledger.notes(invoice.id).await?;
            ok(InvoiceWithNotes { record: billing::invoice(invoice), credit_notes: &notes })
        }
        Wanted::Page => page(&paper::invoice(invoice, state.issuer.zone)),
        Wanted::Document => {
            document(paper::invoice(invoice, state.issuer.zone), Arc::clone(&state.fonts)).await
        }
    }
}

/// A credit note, as it is asked for.
pub async fn credit_note(state: &HttpState, headers: &HeaderMap, note: &CreditNote) -> Answer {
    let wanted = Wanted::by(headers);
    if wanted == Wanted::Record {
        return ok(note);
    }
    let invoice =
        state.ledger.invoice(note.invoice, Some(note.tenant)).await?.ok_or_else(Refusal::not_found)?;
    let paper = paper::credit_note(note, &invoice, state.issuer.zone);
    if wanted == Wanted::Page { page(&paper) } else { document(paper, Arc::clone(&state.fonts)).await }
}

/// What the OpenAPI document says of a call that answers a paper: its record, the page, the PDF.
pub fn answering<T: Serialize + JsonSchema>(
    operation: Operation,
    what: &'static str,
    record: &T,
) -> Operation {
    operation
        .about("`Accept: text/html` gives a page, `application/pdf` a document.")
        .answering(200, what, record)
        .answering_as(200, HTML, what, "<!doctype html>")
        .answering_as(200, PDF, what, "%PDF-1.7")
}

/// A page, shown where it is.
fn page(paper: &Paper) -> Answer {
    let text = paper::page(paper).map_err(|error| {
        tracing::error!(%error, number = paper.number, "a paper cannot be written");
        Refusal::unavailable("this paper cannot be written; ask for JSON")
    })?;
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/html; charset=utf-8").insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    Ok(private(&mut answer).insert_header(named(paper, "inline", "html")).body(text))
}

/// A document, to be kept. Written on another thread: thousands of lines take their time.
async fn document(paper: Paper, fonts: Arc<Fonts>) -> Answer {
    let name = named(&paper, "attachment", "pdf");
    let number = paper.number.clone();
    let written = web::block(move || paper::document(&paper, &fonts)).await;
    let Ok(Ok(bytes)) = written else {
        let error = written.map(|inner| inner.err().map(|error| error.to_string()));
        tracing::error!(?error, number, "a paper cannot be written as a PDF");
        return Err(Refusal::unavailable("this paper cannot be written as a PDF; ask for text/html").into());
    };
    let mut answer = HttpResponse::Ok();
    answer.content_type(PDF);
    Ok(private(&mut answer).insert_header(name).body(bytes))
}

fn private(answer: &mut actix_web::HttpResponseBuilder) -> &mut actix_web::HttpResponseBuilder {
    answer
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

/// The number as a file's name. Prefixes are the operator's, so they are plain but for the slash.
fn named(paper: &Paper, how: &str, ending: &str) -> (header::HeaderName, String) {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '-' };
    let name: String = paper.number.chars().map(plain).collect();
    (header::CONTENT_DISPOSITION, format!("{how}; filename=\"{name}.{ending}\""))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn the_first_form_that_is_known_is_given() {
        for (accept, wanted) in [
            (None, Wanted::Record),
            (Some("*/*"), Wanted::Record),
            (Some("application/pdf"), Wanted::Document),
            (Some("Application/PDF;q=0.9"), Wanted::Document),
            (Some("text/html,application/xhtml+xml,application/pdf;q=0.8"), Wanted::Page),
            (Some("application/json, text/html"), Wanted::Record),
            (Some("image/png"), Wanted::Record),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(Wanted::by(&headers), wanted, "{accept:?}");
        }
    }
}
