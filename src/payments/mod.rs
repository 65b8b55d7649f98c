//! Payment providers. `stripe` speaks to Stripe or to what looks like it; `manual` is the operator.
//!
//! Another provider is another file here and another word in [`ProviderName`](crate::ports::payments::ProviderName): Razorpay,
//! for one, has orders and payment links where Stripe has checkouts, `X-Razorpay-Signature` (HMAC-SHA256 of the body, without a
//! time, so that its event id has to be remembered), amounts in paise, and `payment.captured` and `refund.processed` for
//! [`Word`](crate::ports::payments::Word)s; `notes` carry tenant and invoice as Stripe's metadata does.

pub mod manual;
pub mod stripe;
