//! What Stripe's events mean here. Payments are named by their payment intent, whichever of several events tells of them, and
//! refunds by charge and sum so far: told twice or in any order, each counts once.

use serde::Deserialize;

use super::scale;
use crate::domain::id::{InvoiceId, TenantId};
use crate::domain::money::{AMOUNT_MAX, Currency};
use crate::ports::payments::{NoticeError, Word};

/// An event, as far as it matters here (<https://docs.stripe.com/api/events/object>).
#[derive(Debug, Deserialize)]
struct Event {
    r#type: String,
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    object: serde_json::Value,
    #[serde(default)]
    previous_attributes: Previous,
}

#[derive(Debug, Default, Deserialize)]
struct Previous {
    amount_refunded: Option<i64>,
}

/// What we wrote on it when we asked for it. Objects without it were not asked for by us.
#[derive(Debug, Default, Deserialize)]
struct Metadata {
    tenant: Option<String>,
    invoice: Option<String>,
}

impl Metadata {
    fn ours(&self) -> Option<(TenantId, InvoiceId)> {
        let tenant = self.tenant.as_deref()?.parse().ok()?;
        Some((tenant, self.invoice.as_deref()?.parse().ok()?))
    }
}

#[derive(Debug, Deserialize)]
struct Checkout {
    payment_intent: Option<String>,
    payment_status: String,
    amount_total: i64,
    currency: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
struct Intent {
    id: String,
    amount: i64,
    amount_received: Option<i64>,
    currency: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    last_payment_error: Option<Failure>,
}

#[derive(Debug, Deserialize)]
struct Failure {
    decline_code: Option<String>,
    code: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Charge {
    id: String,
    payment_intent: Option<String>,
    amount: i64,
    amount_captured: Option<i64>,
    amount_refunded: i64,
    currency: String,
    #[serde(default)]
    metadata: Metadata,
}

/// What the event says about money; nothing when it is about something else, or about what we did not ask for.
///
/// # Errors
/// When it is no event, or one of those that matter and not as they are.
pub fn read(body: &[u8]) -> Result<Vec<Word>, NoticeError> {
    let event: Event = json(body, serde_json::from_slice)?;
    let object = event.data.object;
    match event.r#type.as_str() {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            let checkout: Checkout = json(object, serde_json::from_value)?;
            // With a slow way to pay it is completed before the money is there.
            let paid = checkout.payment_intent.filter(|_| checkout.payment_status == "paid");
            paid.map_or(Ok(vec![]), |id| {
                let money = (checkout.amount_total, &*checkout.currency);
                Ok(paid_word(id, &checkout.metadata, money)?.into_iter().collect())
            })
        }
        "payment_intent.succeeded" => {
            let intent: Intent = json(object, serde_json::from_value)?;
            let money = (intent.amount_received.unwrap_or(intent.amount), &*intent.currency);
            Ok(paid_word(intent.id, &intent.metadata, money)?.into_iter().collect())
        }
        "payment_intent.payment_failed" => {
            let intent: Intent = json(object, serde_json::from_value)?;
            let why = intent.last_payment_error.and_then(|failure| failure.decline_code.or(failure.code));
            let failed = |(tenant, invoice)| Word::Failed {
                tenant,
                invoice,
                why: word(why.as_deref().unwrap_or("unknown")),
            };
            Ok(intent.metadata.ours().map(failed).into_iter().collect())
        }
        "charge.refunded" => {
            refund_words(json(object, serde_json::from_value)?, &event.data.previous_attributes)
        }
        _ => Ok(vec![]),
    }
}

/// A refund may be told of before its payment: the charge tells of both.
fn refund_words(charge: Charge, before: &Previous) -> Result<Vec<Word>, NoticeError> {
    let (Some(payment), Some((tenant, invoice))) = (charge.payment_intent, charge.metadata.ours()) else {
        return Ok(vec![]);
    };
    let money = (charge.amount_captured.unwrap_or(charge.amount), &*charge.currency);
    let paid = paid_word(payment, &charge.metadata, money)?;
    let amount_minor = within(charge.amount_refunded.saturating_sub(before.amount_refunded.unwrap_or(0)))?;
    let refunded = Word::Refunded {
        id: format!("{}:{}", charge.id, charge.amount_refunded),
        tenant,
        invoice,
        amount_minor,
        currency: currency(&charge.currency)?,
    };
    Ok(paid.into_iter().chain((amount_minor > 0).then_some(refunded)).collect())
}

fn paid_word(id: String, metadata: &Metadata, money: (i64, &str)) -> Result<Option<Word>, NoticeError> {
    let Some((tenant, invoice)) = metadata.ours() else { return Ok(None) };
    let (amount_minor, code) = money;
    if within(amount_minor)? <= 0 {
        return Ok(None);
    }
    Ok(Some(Word::Paid { id, tenant, invoice, amount_minor, currency: currency(code)? }))
}

/// No invoice asks for more, so no payment is more: a ledger with such an entry could not be summed.
fn within(amount_minor: i64) -> Result<i64, NoticeError> {
    if amount_minor <= AMOUNT_MAX {
        return Ok(amount_minor);
    }
    Err(NoticeError::Unreadable("its amount is more than could have been asked for".to_owned()))
}

fn currency(code: &str) -> Result<Currency, NoticeError> {
    let known = code.to_ascii_uppercase().parse().ok().filter(|known| scale::is_same(*known));
    known.ok_or_else(|| {
        NoticeError::Unreadable("its currency is none that could have been asked for".to_owned())
    })
}

/// A word of Stripe's, as far as it looks like one.
fn word(text: &str) -> String {
    text.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '_').take(64).collect()
}

/// What cannot be read, without a word of what was in it.
fn json<S, T>(source: S, read: impl FnOnce(S) -> serde_json::Result<T>) -> Result<T, NoticeError> {
    read(source).map_err(|error| {
        NoticeError::Unreadable(format!(
            "line {}, column {}: {:?}",
            error.line(),
            error.column(),
            error.classify()
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(kind: &str, object: Value, previous: Value) -> Result<Vec<Word>, NoticeError> {
        let event =
            json!({"id": "evt_1", "type": kind, "data": {"object": object, "previous_attributes": previous}});
        read(event.to_string().as_bytes())
    }

    fn ids() -> (TenantId, InvoiceId) {
        let at = crate::domain::time::WallTime(1_800_000_000_000);
        (TenantId::mint(at), InvoiceId::mint(at))
    }

    #[test]
    fn a_payment_has_one_name_whichever_event_tells_of_it() {
        let (tenant, invoice) = ids();
        let ours = json!({"tenant": tenant, "invoice": invoice});
        let paid = Word::Paid {
            id: "pi_1".to_owned(),
            tenant,
            invoice,
            amount_minor: 2_261,
            currency: "EUR".parse().expect("a currency"),
        };
        let checkout = |status: &str| {
            json!({"id": "cs_1", "payment_intent": "pi_1", "payment_status": status, "amount_total": 2_261,
                "currency": "eur", "metadata": ours})
        };
        let intent = json!({"id": "pi_1", "amount": 2_261, "amount_received": 2_261, "currency": "eur", "metadata": ours});
        for (kind, object, words) in [
            ("checkout.session.completed", checkout("paid"), vec![paid.clone()]),
            ("checkout.session.completed", checkout("unpaid"), vec![]),
            ("checkout.session.async_payment_succeeded", checkout("paid"), vec![paid.clone()]),
            ("payment_intent.succeeded", intent.clone(), vec![paid.clone()]),
            ("payment_intent.created", intent, vec![]),
            ("payment_intent.succeeded", json!({"id": "pi_2", "amount": 5, "currency": "eur"}), vec![]),
            ("customer.created", json!({"id": "cus_1"}), vec![]),
        ] {
            assert_eq!(told(kind, object, json!({})), Ok(words), "{kind}");
        }
    }

    #[test]
    fn a_refund_that_overtakes_its_payment_tells_of_both() {
        let (tenant, invoice) = ids();
        let charge = |refunded: i64| {
            json!({"id": "ch_1", "payment_intent": "pi_1", "amount": 1_000, "amount_captured": 1_000,
                "amount_refunded": refunded, "currency": "eur", "metadata": {"tenant": tenant, "invoice": invoice}})
        };
        let words = told("charge.refunded", charge(700), json!({"amount_refunded": 200})).expect("words");
        let short: Vec<_> = words
            .iter()
            .map(|word| match word {
                Word::Paid { id, amount_minor, .. } => ("paid", id.as_str(), *amount_minor),
                Word::Refunded { id, amount_minor, .. } => ("refunded", id.as_str(), *amount_minor),
                Word::Failed { .. } => ("failed", "", 0),
            })
            .collect();
        assert_eq!(short, [("paid", "pi_1", 1_000), ("refunded", "ch_1:700", 500)]);
    }

    #[test]
    fn what_is_no_event_is_refused_without_its_words() {
        let (tenant, invoice) = ids();
        let ours = json!({"tenant": tenant, "invoice": invoice});
        for body in
            ["", "{}", "null", "[]", "{\"type\":1}", "{\"type\":\"payment_intent.succeeded\",\"data\":{}}"]
        {
            let error = read(body.as_bytes()).expect_err("no event");
            assert!(matches!(error, NoticeError::Unreadable(_)), "{body}");
        }
        for money in [
            json!({"amount": i64::MAX, "currency": "eur"}),
            json!({"amount": "secret", "currency": "eur"}),
            json!({"amount": 5, "currency": "xyzzy"}),
        ] {
            let mut intent = json!({"id": "pi_1", "metadata": ours});
            intent.as_object_mut().expect("an object").extend(money.as_object().expect("an object").clone());
            let error = told("payment_intent.succeeded", intent, json!({})).expect_err("not as they are");
            assert!(!error.to_string().contains("secret") && !error.to_string().contains("xyzzy"), "{error}");
        }
    }
}
