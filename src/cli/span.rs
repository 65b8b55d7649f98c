//! Spans of time as values of flags: `90s`, `15m`, `24h`, `7d`.

/// A span, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub u64);

impl std::str::FromStr for Span {
    type Err = &'static str;

    /// A number and its unit; a bare 0 needs none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "expected a number with s, m, h or d, such as 24h";
        let (number, unit) = match text {
            "0" => ("0", 1),
            _ => {
                let (at, letter) = text.char_indices().next_back().ok_or(wrong)?;
                let unit = match letter {
                    's' => 1,
                    'm' => 60,
                    'h' => 3_600,
                    'd' => 24 * 3_600,
                    _ => return Err(wrong),
                };
                (&text[..at], unit)
            }
        };
        let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let number: u64 = number.parse().ok().filter(|_| plain).ok_or(wrong)?;
        number.checked_mul(unit).map(Self).ok_or(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_its_unit_is_so_many_seconds_and_nothing_else_is() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("", None),
            ("h", None),
            ("24", None),
            ("-1h", None),
            ("+1h", None),
            ("1.5h", None),
            ("1w", None),
            ("1é", None),
            ("99999999999999999999d", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(text.parse().ok(), seconds.map(Span), "{text}");
        }
    }
}
