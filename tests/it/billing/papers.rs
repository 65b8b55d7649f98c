//! Amounts of invoices under any acts, and papers with anything on them.

use std::sync::LazyLock;
use std::time::Duration;

use chrono_tz::Tz;
use columba::billing::invoice::{available, grant, issue, note, pay, refund, void, write_off};
use columba::domain::id::{InvoiceId, TenantId};
use columba::domain::invoice::{
    Account, EntryKind, Invoice, InvoiceDraft, InvoiceStatus, Line, LineKind, Party,
};
use columba::domain::money::{AMOUNT_MAX, Currency};
use columba::domain::time::{Period, WallTime};
use columba::http::render::paper::{self, Fonts};
use proptest::prelude::*;

const MONTH: Period = Period { start: WallTime(1_793_491_200_000), end: WallTime(1_796_083_200_000) };

fn line(text: &str, amount_minor: i64) -> Line {
    Line { kind: LineKind::Overage, text: text.to_owned(), period: MONTH, quantity: 7, amount_minor }
}

fn draft(lines: Vec<Line>) -> InvoiceDraft {
    InvoiceDraft { lines, currency: "EUR".parse().unwrap(), period: MONTH }
}

fn invoice(lines: Vec<Line>, seller: Party, buyer: Party, note: &str) -> Invoice {
    let currency: Currency = "EUR".parse().unwrap();
    let (account, status) = issue(&draft(lines.clone()), 1_900, 0);
    Invoice {
        id: InvoiceId::mint(MONTH.start),
        tenant: TenantId::mint(MONTH.start),
        number: "INV-000001".into(),
        status,
        currency,
        lines,
        account,
        period: MONTH,
        issued_at: MONTH.end,
        due_at: MONTH.end + Duration::from_secs(14 * 24 * 3600),
        settled_at: None,
        seller,
        buyer,
        note: note.into(),
    }
}

/// What somebody may try with an invoice, with any amount at all.
#[derive(Debug, Clone)]
enum Try {
    Pay(i64),
    Note(i64),
    Void,
    WriteOff,
    Grant(i64),
    Refund(i64),
}

fn any_amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 0..3_000_i64,
        1 => any::<i64>(),
        1 => prop_oneof![Just(i64::MIN), Just(-1), Just(0), Just(AMOUNT_MAX), Just(AMOUNT_MAX + 1), Just(i64::MAX)],
    ]
}

fn any_try() -> impl Strategy<Value = Try> {
    prop_oneof![
        4 => any_amount().prop_map(Try::Pay),
        4 => any_amount().prop_map(Try::Note),
        1 => Just(Try::Void),
        1 => Just(Try::WriteOff),
        1 => any_amount().prop_map(Try::Grant),
        3 => any_amount().prop_map(Try::Refund),
    ]
}

proptest! {
    #[test]
    fn an_invoices_lines_add_up_to_its_total_and_tax_is_rounded_once(
        amounts in proptest::collection::vec(-AMOUNT_MAX..=AMOUNT_MAX, 1..40),
        rate in 0..=10_000_u32,
        credit in prop_oneof![Just(0), 0..AMOUNT_MAX, any::<i64>()],
    ) {
        let lines = amounts.iter().map(|minor| line("x", *minor)).collect();
        let (account, status) = issue(&draft(lines), rate, credit);
        prop_assert_eq!(account.subtotal_minor, amounts.iter().sum::<i64>());
        prop_assert_eq!(account.total_minor, account.subtotal_minor + account.tax_minor);
        let exact = i128::from(account.subtotal_minor) * i128::from(rate);
        prop_assert!((i128::from(account.tax_minor) * 10_000 - exact).abs() <= 5_000, "within half a minor unit");
        prop_assert!((0..=account.total_minor.max(0)).contains(&account.applied_minor));
        prop_assert!(account.applied_minor <= credit.max(0));
        prop_assert_eq!(status == InvoiceStatus::Open, account.due_minor() > 0);
    }

    #[test]
    fn whatever_is_tried_no_more_is_taken_back_than_was_charged_nor_given_back_than_was_in_credit(
        asked in 1..2_000_i64, tries in proptest::collection::vec(any_try(), 0..40),
    ) {
        let (account, status) = issue(&draft(vec![line("x", asked)]), 1_900, 0);
        let mut now: (Account, InvoiceStatus) = (account, status);
        let mut entries = vec![(EntryKind::Invoice, account.total_minor)];
        for one in tries {
            let balance: i64 = entries.iter().map(|(_, minor)| minor).sum();
            let due = if now.1 == InvoiceStatus::Open { now.0.due_minor() } else { 0 };
            let credit = available(balance, due);
            let act = match one {
                Try::Pay(minor) => pay(now.0, now.1, minor),
                Try::Note(minor) => note(now.0, now.1, minor),
                Try::Void => void(now.0, now.1),
                Try::WriteOff => write_off(now.0, now.1),
                Try::Grant(minor) => {
                    entries.extend(grant(minor).ok());
                    continue;
                }
                Try::Refund(minor) => {
                    if let Ok(entry) = refund(credit, minor) {
                        prop_assert!(minor <= credit);
                        entries.push(entry);
                    }
                    continue;
                }
            };
            let Ok(act) = act else { continue };
            entries.extend(act.entries);
            now = (act.account, act.status);
            prop_assert!(now.0.noted_minor <= now.0.total_minor, "{:?}", now);
            prop_assert!(now.0.paid_minor + now.0.credited_minor <= now.0.total_minor, "{:?}", now);
            prop_assert!(now.0.due_minor() >= 0, "{:?}", now);
            prop_assert_eq!(now.0.total_minor, account.total_minor, "what was asked for is never edited");
        }
        let sum = |kinds: &[EntryKind]| -> i64 {
            entries.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, minor)| minor).sum()
        };
        use EntryKind::{CreditNote, Grant, Payment, Recovery, Refund, Void};
        prop_assert!(sum(&[Refund]) <= -sum(&[Payment, Grant]), "no more goes back than came in or was granted");
        prop_assert!(-sum(&[CreditNote, Void]) <= account.total_minor);
        prop_assert!(sum(&[Recovery]) <= account.total_minor);
    }

}

static FONTS: LazyLock<Fonts> = LazyLock::new(|| Fonts::with(vec![]).unwrap());

proptest! {
    // A document takes a while without optimisation.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_words_make_a_page_that_is_no_program_and_a_document(
        name in any::<String>(), text in any::<String>(), note in any::<String>(),
    ) {
        let party = |name: &str| Party { name: name.into(), address: vec![name.into()], tax_id: Some(name.into()), email: None };
        let invoice = invoice(vec![line(&text, 5)], party("Operator"), party(&name), &note);
        let paper = paper::invoice(&invoice, Tz::UTC);
        let page = paper::page(&paper).unwrap();
        for tag in ["<script", "<img", "<a ", "<iframe", "javascript:\""] {
            prop_assert!(!page.contains(tag), "{}", page);
        }
        prop_assert!(paper::document(&paper, &FONTS).unwrap().starts_with(b"%PDF-"));
    }
}

/// Pages of a document: each has a `/Type /Page`, compressed or not, and the catalogue counts them.
fn pages(document: &[u8]) -> usize {
    let text = String::from_utf8_lossy(document);
    let count = text.split("/Count ").nth(1).unwrap_or_default();
    count.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

#[test]
fn hostile_names_and_thousands_of_lines_still_make_a_paper() {
    let long = "W".repeat(200);
    for (what, name) in [
        ("very long without a break", long.as_str()),
        (
            "from right to left",
            "\u{202e}\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{645}\u{631}\u{62d}\u{628}\u{627} 123 abc",
        ),
        ("control characters", "a\u{0}b\u{7}c\u{1b}[31m\u{9}d\u{7f}\u{85}"),
        ("nothing but marks", "\u{301}\u{301}\u{301}\u{200d}\u{feff}"),
        ("letters that no font has", "देवनागरी 漢字 🦆"),
        ("markup", "<b>&amp;</b>{{ 7 * 7 }}{% raw %}"),
        ("nothing", ""),
        ("only spaces", "   \u{a0}\u{3000}"),
    ] {
        let party = Party {
            name: name.into(),
            address: vec![name.into(); 8],
            tax_id: Some(name.into()),
            email: None,
        };
        let paper = paper::invoice(&invoice(vec![line(name, 1)], party.clone(), party, name), Tz::UTC);
        let document = paper::document(&paper, &FONTS).unwrap();
        assert!(document.starts_with(b"%PDF-"), "{what}");
        let page = paper::page(&paper).unwrap();
        assert!(!page.contains("<b>&amp;") && !page.contains("49"), "{what}: what is written is text");
    }
    let lines: Vec<Line> = (0..10_000).map(|_| line("Messages beyond the quota", 1)).collect();
    let many = invoice(lines, Party::default(), Party::default(), "");
    assert_eq!(many.account.subtotal_minor, 10_000);
    let paper = paper::invoice(&many, Tz::UTC);
    assert_eq!(paper::page(&paper).unwrap().matches("<tr>").count(), 10_000 + 1 + paper.sums.len());
    let document = paper::document(&paper, &FONTS).unwrap();
    assert!(document.len() > 100_000 && pages(&document) > 100, "{} bytes", document.len());
}
