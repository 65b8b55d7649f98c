//! The cookie of somebody who signed in: what it is called, how it is given and taken back.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::header::{self, HeaderMap};
use zeroize::Zeroizing;

use crate::domain::person::LONGEST;

/// Over TLS: browsers take it from this host only, for all of it, and send it over TLS only.
const SECURE: &str = "__Host-columba";
/// On a machine of one's own, without TLS.
const PLAIN: &str = "columba";
/// Longer than any that was given.
const LENGTH: usize = 64;

fn name(is_https: bool) -> &'static str {
    if is_https { SECURE } else { PLAIN }
}

fn build(value: &str, is_https: bool) -> Cookie<'_> {
    Cookie::build(name(is_https), value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(is_https)
        .finish()
}

/// The header that gives it.
pub fn given(text: &str, is_https: bool) -> String {
    let mut cookie = build(text, is_https);
    cookie.set_max_age(Duration::seconds(LONGEST.as_secs() as i64));
    cookie.to_string()
}

/// The header that takes it back.
pub fn taken_back(is_https: bool) -> String {
    let mut cookie = build("", is_https);
    cookie.set_max_age(Duration::ZERO);
    cookie.to_string()
}

/// The one that was shown, if one was.
pub fn shown(headers: &HeaderMap, is_https: bool) -> Option<Zeroizing<String>> {
    let lines = headers.get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(shown, value)| *shown == name(is_https) && !value.is_empty());
    let (_, value) = own.next()?;
    // Two of one name: somebody else put one there, and nobody can say which.
    if own.next().is_some() || value.len() > LENGTH {
        return None;
    }
    Some(Zeroizing::new(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn scripts_and_other_sites_do_not_have_it_and_over_tls_it_is_bound_to_the_host() {
        assert_eq!(given("t", false), "columba=t; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800");
        assert_eq!(
            given("t", true),
            "__Host-columba=t; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=604800"
        );
        assert_eq!(taken_back(false), "columba=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    }

    #[test]
    fn only_the_one_of_the_way_it_came_is_read() {
        for (line, is_https, found) in [
            ("columba=a", false, Some("a")),
            ("x=1; columba=a ;y=2", false, Some("a")),
            ("columba=a", true, None),
            ("__Host-columba=b; columba=a", true, Some("b")),
            ("__Host-columba=b", false, None),
            ("columba=a; columba=b", false, None),
            ("columba=", false, None),
            ("columba", false, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, HeaderValue::from_static(line));
            let text = shown(&headers, is_https);
            assert_eq!(text.as_ref().map(|text| text.as_str()), found, "{line}");
        }
    }
}
